<?php
// SPDX-License-Identifier: Apache-2.0
// mod_php with the curl extension. /p curl_multi.

function handle(string $path)
{
    $one = curl_init('http://127.0.0.1:' . getenv('LAB_BACKEND') . $path);
    curl_setopt($one, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($one, CURLOPT_NOPROXY, '*');
    return $one;
}

function call(string $path): string
{
    return curl_exec(handle($path));
}

function both(string $a, string $b): string
{
    $all = curl_multi_init();
    $handles = [handle($a), handle($b)];
    foreach ($handles as $one) {
        curl_multi_add_handle($all, $one);
    }
    do {
        curl_multi_exec($all, $running);
        if ($running) {
            curl_multi_select($all, 1);
        }
    } while ($running);
    return implode('', array_map('curl_multi_getcontent', $handles));
}

$path = $_SERVER['REQUEST_URI'];
[, $mode, $name] = explode('/', $path);
$a = "/b/$name/a";
$b = "/b/$name/b";
header('Content-Type: text/plain');
echo match ($mode) {
    'r' => call($a),
    's' => call($a) . call($b),
    'p' => both($a, $b),
    default => call($path),
};
