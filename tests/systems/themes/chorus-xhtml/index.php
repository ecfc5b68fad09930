<?php /* The loop, and the comments as wp_list_comments prints them by default. */ ?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" <?php language_attributes(); ?>>
<head><title><?php wp_title('&laquo;', true, 'right'); ?> <?php bloginfo('name'); ?></title><?php wp_head(); ?></head>
<body <?php body_class(); ?>>
<div id="content">
<?php while (have_posts()) : the_post(); ?>
  <div id="post-<?php the_ID(); ?>" <?php post_class(); ?>>
    <h2 class="entry-title"><a href="<?php the_permalink(); ?>"><?php the_title(); ?></a></h2>
    <small><?php the_time('F jS, Y'); ?> by <?php the_author(); ?></small>
    <div class="entry"><?php the_content(); ?></div>
  </div>
  <?php if (is_singular()) comments_template(); ?>
<?php endwhile; ?>
</div>
<?php wp_footer(); ?>
</body></html>
