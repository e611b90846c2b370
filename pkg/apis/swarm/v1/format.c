#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define LABEL_MAX 63
#define DNS_NAME_MAX 253
#define NAME_MAX_BYTES 63
#define INSTANCE_MAX 255
#define SUBJECT_MAX 255
#define DIGEST_SIZE 71
#define UUID_SIZE 36
#define URL_MAX 512
#define PORT_MAX 65535u

static bool is_lower_hex(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_alphanumeric(char byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9');
}

static bool is_dns_name(const char *text, size_t size)
{
    size_t at = 0;

    if (size == 0 || size > DNS_NAME_MAX)
        return false;
    while (at <= size) {
        char label[LABEL_MAX + 1] = "";
        size_t length = 0;
        while (at + length < size && text[at + length] != '.')
            length++;
        if (length == 0 || length > LABEL_MAX)
            return false;
        memcpy(label, text + at, length);
        if (!sw_text_is_label(label, LABEL_MAX))
            return false;
        at += length + 1;
    }
    return true;
}

/* Letters, digits, '-', '_' and '.', alphanumeric at the ends. */
static bool is_word(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > NAME_MAX_BYTES || !is_alphanumeric(text[0]) ||
        !is_alphanumeric(text[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_alphanumeric(text[i]) && strchr("-_.", text[i]) == NULL)
            return false;
    return true;
}

static bool is_qualified_name(const char *text)
{
    const char *slash = strchr(text, '/');

    if (slash == NULL)
        return is_word(text);
    return is_dns_name(text, (size_t)(slash - text)) && is_word(slash + 1);
}

static bool is_digest(const char *text)
{
    if (strlen(text) != DIGEST_SIZE || strncmp(text, "sha256:", 7) != 0)
        return false;
    for (const char *at = text + 7; *at != '\0'; at++)
        if (!is_lower_hex(*at))
            return false;
    return true;
}

/* Tokens of printable ASCII without blanks, '*' and '>', joined by single dots. */
static bool is_subject(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > SUBJECT_MAX || text[0] == '.' || text[size - 1] == '.')
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '*' || text[i] == '>' ||
            (text[i] == '.' && text[i + 1] == '.'))
            return false;
    return true;
}

static bool is_uuid(const char *text)
{
    if (strlen(text) != UUID_SIZE)
        return false;
    for (size_t i = 0; i < UUID_SIZE; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : !is_lower_hex(text[i]))
            return false;
    }
    return true;
}

static bool is_reason(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > NAME_MAX_BYTES || text[0] < 'A' || text[0] > 'Z')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_alphanumeric(text[i]))
            return false;
    return true;
}

/* The key, behind the first slash, is any text of at least one byte. */
static bool is_instance(const char *text)
{
    char agent[LABEL_MAX + 1] = "";
    size_t size = strcspn(text, "/");

    if (size == 0 || size > LABEL_MAX || strlen(text) > INSTANCE_MAX)
        return false;
    memcpy(agent, text, size);
    return sw_text_is_label(agent, LABEL_MAX) && (text[size] == '\0' || text[size + 1] != '\0');
}

/* "" or ":" and a port. */
static bool is_port(const char *text, size_t size)
{
    unsigned port = 0;

    if (size == 0)
        return true;
    if (text[0] != ':' || size < 2 || size > 6)
        return false;
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port > 0 && port <= PORT_MAX;
}

/* A name, or an address of IPv4, or one of IPv6 in brackets; and perhaps a port. */
static bool is_authority(const char *text, size_t size)
{
    size_t host = 0;

    if (size > 0 && text[0] == '[') {
        host = 1;
        while (host < size && (is_lower_hex(text[host]) || strchr("ABCDEF:.", text[host]) != NULL))
            host++;
        if (host < 3 || host == size || text[host] != ']')
            return false;
        host++;
    } else {
        while (host < size && text[host] != ':')
            host++;
        if (!is_dns_name(text, host))
            return false;
    }
    return is_port(text + host, size - host);
}

/* RFC 3986, as far as somebody can be reached under it and asked for what lies below. */
static bool is_url(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
                    : strncmp(text, "http://", 7) == 0 ? 7
                                                       : 0;
    size_t authority = strcspn(text + scheme, "/");

    if (scheme == 0 || strlen(text) > URL_MAX || !is_authority(text + scheme, authority))
        return false;
    for (const char *at = text + scheme + authority; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("?#\"<>\\^`{|}", *at) != NULL)
            return false;
    return true;
}

static bool is_valid(enum sw_api_format format, const char *text)
{
    uint64_t number;

    switch (format) {
    case SW_API_FORMAT_LABEL:
        return sw_text_is_label(text, LABEL_MAX);
    case SW_API_FORMAT_DNS_NAME:
        return is_dns_name(text, strlen(text));
    case SW_API_FORMAT_QUALIFIED_NAME:
        return is_qualified_name(text);
    case SW_API_FORMAT_DURATION:
        return sw_text_to_duration_ns(text, &number) == SW_OK;
    case SW_API_FORMAT_SIZE:
        return sw_text_to_size_bytes(text, &number) == SW_OK;
    case SW_API_FORMAT_DIGEST:
        return is_digest(text);
    case SW_API_FORMAT_SUBJECT:
        return is_subject(text);
    case SW_API_FORMAT_UUID:
        return is_uuid(text);
    case SW_API_FORMAT_REASON:
        return is_reason(text);
    case SW_API_FORMAT_INSTANCE:
        return is_instance(text);
    case SW_API_FORMAT_LABEL_VALUE:
        return text[0] == '\0' || is_word(text);
    case SW_API_FORMAT_MONEY:
        return sw_text_to_money(text, &number) == SW_OK;
    case SW_API_FORMAT_URL:
        return is_url(text);
    case SW_API_FORMAT_NONE:
    case SW_API_FORMAT_TIMESTAMP:
        break;
    }
    return true;
}

static const char *const expected_words[] = {
    [SW_API_FORMAT_NONE] = "",
    [SW_API_FORMAT_LABEL] = "1 to 63 lowercase letters, digits and '-', not at the ends",
    [SW_API_FORMAT_DNS_NAME] = "labels of lowercase letters, digits and '-', joined by '.'",
    [SW_API_FORMAT_QUALIFIED_NAME] =
        "a name such as \"app\" or \"example.com/app\" (at most 63 of letters, digits, '-_.')",
    [SW_API_FORMAT_DURATION] = "a duration such as \"500ms\", \"2s\", \"5m\", \"1h\" or \"7d\"",
    [SW_API_FORMAT_SIZE] = "a size such as \"64KiB\", \"1MiB\" or \"2GiB\"",
    [SW_API_FORMAT_DIGEST] = "\"sha256:\" and 64 lowercase hexadecimal digits",
    [SW_API_FORMAT_SUBJECT] = "a subject such as \"orders.new\", without '*' and '>'",
    [SW_API_FORMAT_UUID] = "a UUID in lowercase",
    [SW_API_FORMAT_TIMESTAMP] = "a time such as \"2026-01-31T12:00:00Z\"",
    [SW_API_FORMAT_REASON] = "one word in CamelCase, at most 63 letters and digits",
    [SW_API_FORMAT_INSTANCE] = "\"agent/key\" or \"agent\"",
    [SW_API_FORMAT_LABEL_VALUE] =
        "at most 63 letters, digits, '-', '_' and '.', alphanumeric at the ends",
    [SW_API_FORMAT_MONEY] =
        "an amount of dollars such as \"1\" or \"0.15\", with at most nine digits "
        "on either side of the point",
    [SW_API_FORMAT_URL] =
        "\"http://\" or \"https://\", a host in lowercase, and perhaps a port and a path "
        "(at most 512 bytes)",
};

const char *sw_format_describe(enum sw_api_format format)
{
    return expected_words[format];
}

enum sw_rc sw_format_check(enum sw_api_format format, const char *text, struct sw_err *err)
{
    if (is_valid(format, text))
        return SW_OK;
    return sw_err_set(err, SW_E_INVALID, "expected %s, found \"%.80s\"%s", expected_words[format],
                      text, strlen(text) > 80 ? "..." : "");
}
