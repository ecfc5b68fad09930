<?php
/* What the tests ask of WordPress: a command as the first argument, JSON on stdin, JSON on stdout. */
[$command, $input] = [$argv[1], json_decode(stream_get_contents(STDIN), true) ?? []];
$_SERVER += ['HTTP_HOST' => getenv('CHORUS_HOST'), 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REMOTE_ADDR' => '127.0.0.1'];
if ($command === 'install') {
    define('WP_INSTALLING', true);
}
require getenv('CHORUS_ROOT') . '/wp-load.php';

function answer($value) {
    echo "\n", json_encode($value, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}

function install(array $input): void {
    require ABSPATH . 'wp-admin/includes/upgrade.php';
    wp_install('Allotment notes', 'keeper', 'keeper@blog.example', true, '', 'not-secret');
    foreach (get_posts(['post_type' => 'any', 'numberposts' => -1, 'post_status' => 'any']) as $post) {
        wp_delete_post($post->ID, true);
    }
    answer(['version' => get_bloginfo('version'), 'themes' => array_keys(wp_get_themes())]);
}

function options(array $input): void {
    foreach ($input['options'] ?? [] as $name => $value) {
        update_option($name, $value);
    }
    if (isset($input['theme'])) {
        switch_theme($input['theme']);
    }
    if (isset($input['permalinks'])) {
        global $wp_rewrite;
        $wp_rewrite->set_permalink_structure($input['permalinks']);
        $wp_rewrite->flush_rules(false);
    }
    answer(true);
}

/* The post, and its comments in the order given: comments through the REST API, which takes no pings; those directly. */
function fill(array $input): void {
    wp_set_current_user(1);
    wp_update_user(['ID' => 1, 'display_name' => 'Mara Keeper', 'user_url' => 'https://keeper.example/']);
    $post = wp_insert_post(wp_slash($input['post'] + ['post_status' => 'publish', 'post_author' => 1, 'comment_status' => 'open']), true);
    if (is_wp_error($post)) {
        throw new RuntimeException($post->get_error_message());
    }
    $ids = [];
    foreach ($input['comments'] as $one) {
        $one['parent'] = isset($one['parent']) ? $ids[$one['parent']] : 0;
        $ids[$one['key']] = in_array($one['type'] ?? 'comment', ['pingback', 'trackback'], true) ? ping($post, $one) : comment($post, $one);
    }
    wp_update_comment_count_now($post);
    answer(['post' => $post, 'url' => get_permalink($post), 'ids' => $ids]);
}

function comment(int $post, array $one): int {
    $request = new WP_REST_Request('POST', '/wp/v2/comments');
    $request->set_body_params(array_filter([
        'post' => $post,
        'parent' => $one['parent'],
        'author' => empty($one['registered']) ? 0 : 1,
        'author_name' => empty($one['registered']) ? $one['author'] : '',
        'author_email' => empty($one['registered']) ? 'someone@mail.example' : '',
        'author_url' => empty($one['registered']) ? $one['url'] : '',
        'date' => $one['date'],
        'content' => $one['content'],
        'status' => $one['status'] ?? 'approve',
    ], fn($value) => $value !== '' && $value !== 0));
    $response = rest_do_request($request);
    if ($response->is_error()) {
        throw new RuntimeException($one['key'] . ': ' . $response->as_error()->get_error_message());
    }
    return (int) $response->get_data()['id'];
}

function ping(int $post, array $one): int {
    return wp_insert_comment(wp_slash([
        'comment_post_ID' => $post,
        'comment_parent' => $one['parent'],
        'comment_type' => $one['type'],
        'comment_author' => $one['author'],
        'comment_author_url' => $one['url'],
        'comment_content' => $one['content'],
        'comment_date' => $one['date'],
        'comment_date_gmt' => get_gmt_from_date($one['date']),
        'comment_approved' => 1,
    ]));
}

function permalink(array $input): void {
    answer(get_permalink($input['post']));
}

/* The comments of a post as the database holds them; `html` is the text as WordPress itself would print it. */
function comments(array $input): void {
    global $wpdb;
    $rows = $wpdb->get_results($wpdb->prepare("SELECT * FROM {$wpdb->comments} WHERE comment_post_ID = %d ORDER BY comment_ID", $input['post']), ARRAY_A);
    foreach ($rows as &$row) {
        $comment = get_comment($row['comment_ID']);
        $GLOBALS['comment'] = $comment;
        $row['html'] = apply_filters('comment_text', get_comment_text($comment), $comment, []);
        unset($row['comment_author_email'], $row['comment_author_IP']);
    }
    answer($rows);
}

$command($input);
