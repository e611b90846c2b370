#include "pkg/broker/outbound/url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>

static enum sw_rc copy_part(CURLU *url, CURLUPart part, char *ret_text, size_t size,
                            struct sw_err *err)
{
    char *text = NULL;
    CURLUcode code =
        curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0);
    size_t length = code == CURLUE_OK ? strlen(text) : 0;
    enum sw_rc rc = SW_OK;

    if (code != CURLUE_OK || length >= size)
        rc = sw_err_set(err, SW_E_INVALID, "the URL is too long, or lacks a part");
    else
        memcpy(ret_text, text, length + 1);
    curl_free(text);
    return rc;
}

/* An address of IPv6 stands in brackets. */
static void strip_brackets(char *host)
{
    size_t size = strlen(host);

    if (size < 2 || host[0] != '[')
        return;
    memmove(host, host + 1, size - 2);
    host[size - 2] = '\0';
}

static bool is_plain_text(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

enum sw_rc sw_outbound_url_read(const char *text, struct sw_outbound_url *ret_url,
                                struct sw_err *err)
{
    char port[8];
    CURLU *url;
    enum sw_rc rc;

    if (strlen(text) >= sizeof ret_url->text || !is_plain_text(text))
        return sw_err_set(err, SW_E_INVALID, "a URL has at most %zu bytes of printable ASCII",
                          sizeof ret_url->text - 1);
    url = curl_url();
    if (url == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a URL");
    rc = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK
             ? SW_OK
             : sw_err_set(err, SW_E_INVALID, "no URL, or one with a user in it");
    (void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    if (rc == SW_OK)
        rc = copy_part(url, CURLUPART_SCHEME, ret_url->scheme, sizeof ret_url->scheme, err);
    if (rc == SW_OK)
        rc = copy_part(url, CURLUPART_HOST, ret_url->host, sizeof ret_url->host, err);
    if (rc == SW_OK)
        rc = copy_part(url, CURLUPART_PORT, port, sizeof port, err);
    if (rc == SW_OK)
        rc = copy_part(url, CURLUPART_PATH, ret_url->path, sizeof ret_url->path, err);
    if (rc == SW_OK)
        rc = copy_part(url, CURLUPART_URL, ret_url->text, sizeof ret_url->text, err);
    curl_url_cleanup(url);
    if (rc != SW_OK)
        return rc;
    strip_brackets(ret_url->host);
    for (char *at = ret_url->host; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    ret_url->port = 0;
    for (const char *at = port; *at != '\0'; at++)
        ret_url->port = (uint16_t)(ret_url->port * 10 + (*at - '0'));
    return SW_OK;
}
