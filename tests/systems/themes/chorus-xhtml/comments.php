<?php if (have_comments()) : ?>
<h3 id="comments"><?php comments_number('No Responses', 'One Response', '% Responses'); ?> to &#8220;<?php the_title(); ?>&#8221;</h3>
<div class="navigation"><div class="alignleft"><?php previous_comments_link(); ?></div><div class="alignright"><?php next_comments_link(); ?></div></div>
<?php $style = get_option('chorus_style') ?: 'ol'; ?>
<?php echo 'div' === $style ? '<div class="commentlist">' : '<ol class="commentlist">'; wp_list_comments(['style' => $style]); echo 'div' === $style ? '</div>' : '</ol>'; ?>
<?php endif; ?>
<?php comment_form(['format' => 'xhtml']); ?>
