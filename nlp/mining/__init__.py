"""Text mining: keyword in context, keyness, topics and duplicates. Plain texts and counts in, frozen results out.

``words`` cuts texts into words for all of them; ``kwic``, ``keyness``, ``topics`` and ``duplicates`` each answer one
question. ``docs/mining.md`` says what each figure is and where its formula comes from.
"""
