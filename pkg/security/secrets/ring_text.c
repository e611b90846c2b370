/* The ring as text: what is kept in its file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pkg/security/crypto/digest.h"
#include "pkg/security/secrets/state.h"
#include "pkg/utils/base/text.h"

#define FILE_HEAD "swarm-ring 1\n"
#define FILE_END "end\n"          /* Without it the file was cut. */
#define ID_LABEL "swarm ring key" /* What an id is the digest of, before the key. */
#define LINE_MAX_BYTES 160

/* An id follows from its key: one that was damaged does not have it, and two rings that have the
 * same key call it the same. */
void sw_keyring_name_key(struct ring_key *key)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[sizeof ID_LABEL + KEY_SIZE], digest[SW_SHA256_SIZE];

    (void)memcpy(bytes, ID_LABEL, sizeof ID_LABEL);
    (void)memcpy(bytes + sizeof ID_LABEL, key->bytes, KEY_SIZE);
    sw_sha256_of(bytes, sizeof bytes, digest);
    for (size_t i = 0; i < (SW_RING_ID_SIZE - 1) / 2; i++) {
        key->id[2 * i] = digits[digest[i] >> 4];
        key->id[2 * i + 1] = digits[digest[i] & 15];
    }
    key->id[SW_RING_ID_SIZE - 1] = '\0';
    sw_bytes_wipe(bytes, sizeof bytes);
}

void sw_keyring_print(const struct sw_keyring *ring, struct sw_buffer *out)
{
    /* At once, so that growing leaves no copies behind. */
    (void)sw_buffer_reserve(out, strlen(FILE_HEAD FILE_END) + ring->count * LINE_MAX_BYTES);
    sw_buffer_put_text(out, FILE_HEAD);
    for (size_t i = 0; i < ring->count; i++) {
        char line[64];
        int size =
            snprintf(line, sizeof line, "%s %" PRIu64 " ", ring->keys[i].id, ring->keys[i].made_ns);
        sw_buffer_put(out, line, (size_t)size);
        sw_hex_encode(ring->keys[i].bytes, KEY_SIZE, out);
        sw_buffer_put_text(out, "\n");
    }
    sw_buffer_put_text(out, FILE_END);
}

enum sw_rc sw_keyring_damaged(struct sw_err *err)
{
    (void)sw_err_set(err, SW_E_CORRUPT, "these are not the keys of Secrets, or they are damaged");
    sw_err_hint(err, "put back the file as it was, such as with: swarmctl secrets import");
    return SW_E_CORRUPT;
}

/* One line of the file, without its end: "ID TIME KEY". */
static enum sw_rc parse_key(const char *line, size_t size, struct ring_key *ret_key)
{
    char head[64] = "";
    struct sw_buffer bytes;
    char *time;
    enum sw_rc rc;

    if (size < 2 * KEY_SIZE + 1 || size - 2 * KEY_SIZE > sizeof head - 1 ||
        line[size - 2 * KEY_SIZE - 1] != ' ')
        return SW_E_CORRUPT;
    (void)memcpy(head, line, size - 2 * KEY_SIZE - 1);
    time = strchr(head, ' ');
    if (time == NULL || sw_text_to_u64(time + 1, &ret_key->made_ns) != SW_OK)
        return SW_E_CORRUPT;
    *time = '\0';
    sw_buffer_init(&bytes, KEY_SIZE);
    rc = sw_hex_decode(line + size - 2 * KEY_SIZE, 2 * KEY_SIZE, &bytes);
    if (rc == SW_OK) {
        (void)memcpy(ret_key->bytes, bytes.data, KEY_SIZE);
        sw_keyring_name_key(ret_key);
    }
    sw_secrets_buffer_done(&bytes);
    return rc == SW_OK && strcmp(head, ret_key->id) == 0 ? SW_OK : SW_E_CORRUPT;
}

enum sw_rc sw_keyring_parse_keys(struct sw_keyring *ring, struct sw_bytes text, struct sw_err *err)
{
    const char *at = text.data, *end;

    if (text.size < strlen(FILE_HEAD FILE_END) || memcmp(at, FILE_HEAD, strlen(FILE_HEAD)) != 0 ||
        memcmp(at + text.size - strlen(FILE_END), FILE_END, strlen(FILE_END)) != 0)
        return sw_keyring_damaged(err);
    end = at + text.size - strlen(FILE_END);
    at += strlen(FILE_HEAD);
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL || ring->count == SW_RING_KEYS_MAX ||
            parse_key(at, (size_t)(line_end - at), &ring->keys[ring->count]) != SW_OK ||
            sw_keyring_has(ring, ring->keys[ring->count].id))
            return sw_keyring_damaged(err);
        ring->count++;
        at = line_end + 1;
    }
    return ring->count == 0 ? sw_keyring_damaged(err) : SW_OK;
}
