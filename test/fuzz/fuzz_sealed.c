/* Sealed texts and the text of a ring. The first byte says which: 'r' a ring, 'e' a ring under a
 * passphrase, 's' a sealed text of a known ring, anything else a value. */
/* uses: pkg/security/secrets */
/* covers: pkg/security/secrets/seal.c pkg/security/secrets/ring_text.c */
/* covers: pkg/security/secrets/export.c */
#include "pkg/security/secrets/secrets.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING                                                                                       \
    "swarm-ring 1\n"                                                                               \
    "4b13bab20b638f4b 1780000000000000000 "                                                        \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"                           \
    "end\n"

static uint64_t drawn;

/* The same each time, so that what an input reaches is the same, too. */
static void draw(void *ctx, void *ret_bytes, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret_bytes)[i] = (uint8_t)(++drawn * 37);
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return 1780000000000000000u;
}

static const struct sw_system fixed = {.random = draw, .utc_ns = now};
static const struct sw_keyring_options options = {.system = &fixed};
static const struct sw_secret_place place = {"default", "openai", "api-key"};

/* What is taken is written as it was. */
static void try_ring(struct sw_bytes text)
{
    struct sw_keyring *ring = NULL, *again = NULL;
    struct sw_buffer out;

    if (sw_keyring_parse(&options, text, &ring, NULL) != SW_OK)
        return;
    sw_buffer_init(&out, SW_RING_BYTES_MAX);
    sw_keyring_print(ring, &out);
    if (sw_keyring_parse(&options, (struct sw_bytes){out.data, out.size}, &again, NULL) != SW_OK ||
        sw_keyring_count(again) != sw_keyring_count(ring))
        abort();
    for (size_t i = 0; i < sw_keyring_count(ring); i++)
        if (strcmp(sw_keyring_id(ring, i), sw_keyring_id(again, i)) != 0 ||
            sw_keyring_made_ns(ring, i) != sw_keyring_made_ns(again, i))
            abort();
    sw_buffer_done(&out);
    sw_keyring_free(ring);
    sw_keyring_free(again);
}

/* What opens is written again, and opens to the same. It costs 32 MiB each time. */
static void try_export(struct sw_bytes text)
{
    static const struct sw_bytes passphrase = {"correct horse battery", 21};
    struct sw_keyring *ring = NULL, *again = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};

    if (sw_keyring_import(&options, text, passphrase, &ring, &err) != SW_OK) {
        if (ring != NULL || err.message[0] == '\0')
            abort();
        return;
    }
    sw_buffer_init(&out, SW_RING_EXPORT_BYTES_MAX);
    if (sw_keyring_export(ring, (struct sw_bytes){"short", 5}, &out, NULL) != SW_E_INVALID ||
        sw_keyring_export(ring, passphrase, &out, NULL) != SW_OK ||
        sw_keyring_import(&options, (struct sw_bytes){out.data, out.size}, passphrase, &again,
                          NULL) != SW_OK ||
        sw_keyring_count(again) != sw_keyring_count(ring))
        abort();
    sw_buffer_done(&out);
    sw_keyring_free(ring);
    sw_keyring_free(again);
}

static struct sw_keyring *known_ring(void)
{
    struct sw_keyring *ring = NULL;

    if (sw_keyring_parse(&options, (struct sw_bytes){RING, strlen(RING)}, &ring, NULL) != SW_OK)
        abort();
    return ring;
}

/* What opens opens with a newer key as well, to the same. */
static void try_sealed(const char *text)
{
    struct sw_keyring *ring = known_ring();
    struct sw_buffer value, again, other;
    char id[SW_RING_ID_SIZE];
    struct sw_err err = {0};

    sw_buffer_init(&value, SW_SECRETS_VALUE_MAX);
    sw_buffer_init(&again, SW_SECRETS_SEALED_MAX + 1);
    sw_buffer_init(&other, SW_SECRETS_VALUE_MAX);
    if (sw_secrets_open(ring, &place, text, &value, &err) == SW_OK) {
        if (!sw_secrets_is_sealed(text) || sw_secrets_id(text, id, NULL) != SW_OK ||
            strcmp(id, sw_keyring_id(ring, 0)) != 0 || sw_keyring_rotate(ring, NULL) != SW_OK ||
            sw_secrets_rewrap(ring, &place, text, &again, NULL) != SW_OK)
            abort();
        sw_buffer_put_u8(&again, 0);
        if (sw_secrets_open(ring, &place, (const char *)again.data, &other, NULL) != SW_OK ||
            !sw_bytes_is_equal((struct sw_bytes){value.data, value.size},
                               (struct sw_bytes){other.data, other.size}))
            abort();
    } else if (value.size != 0 || err.message[0] == '\0') {
        abort();
    }
    sw_buffer_done(&value);
    sw_buffer_done(&again);
    sw_buffer_done(&other);
    sw_keyring_free(ring);
}

static void try_value(struct sw_bytes bytes)
{
    struct sw_keyring *ring = known_ring();
    struct sw_buffer sealed, value;
    enum sw_rc rc;

    sw_buffer_init(&sealed, SW_SECRETS_SEALED_MAX + 1);
    sw_buffer_init(&value, SW_SECRETS_VALUE_MAX);
    rc = sw_secrets_seal(ring, &place, bytes, &sealed, NULL);
    if ((rc == SW_OK) != (bytes.size <= SW_SECRETS_VALUE_MAX))
        abort();
    sw_buffer_put_u8(&sealed, 0);
    if (rc == SW_OK &&
        (sw_secrets_open(ring, &place, (const char *)sealed.data, &value, NULL) != SW_OK ||
         !sw_bytes_is_equal(bytes, (struct sw_bytes){value.data, value.size})))
        abort();
    sw_buffer_done(&sealed);
    sw_buffer_done(&value);
    sw_keyring_free(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sw_bytes rest = {size == 0 ? NULL : data + 1, size == 0 ? 0 : size - 1};
    char *text;

    drawn = 0;
    if (size == 0 || (data[0] != 'r' && data[0] != 's' && data[0] != 'e')) {
        try_value(rest);
        return 0;
    }
    text = calloc(1, rest.size + 1);
    if (text == NULL)
        return 0;
    if (rest.size > 0)
        memcpy(text, rest.data, rest.size);
    if (data[0] == 'r')
        try_ring((struct sw_bytes){text, rest.size});
    else if (data[0] == 'e')
        try_export((struct sw_bytes){text, rest.size});
    else
        try_sealed(text);
    free(text);
    return 0;
}
