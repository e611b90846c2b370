/* The town's hall. "begin" begins, a district after the other; whoever asks anything hears the
 * result when all have voted, or how far it is until then ("?"). */
#include "words.h"

SWARM_AGENT;

#define WAVES 100u /* In which the districts begin, so that not all talk at once, */
#define WAVE_NS 50000000u
#define ASKING_MAX 64u

static struct society society;
static struct society_count count;
static uint64_t asking[ASKING_MAX];
static uint32_t begun, asking_count, unused;

int32_t SWARM_EXPORT(on_start)(void)
{
    return society_read(&society, &unused);
}

static uint32_t put_wide(char *out, uint64_t number)
{
    uint32_t size = number < 10 ? 0 : put_wide(out, number / 10);

    out[size] = (char)('0' + number % 10);
    return size + 1;
}

static uint32_t put_field(char *out, const char *name, uint64_t value)
{
    uint32_t size = put_text(out, name);

    return size + put_wide(out + size, value);
}

/* The answer, as words. */
static uint32_t put_result(char *out)
{
    uint32_t mayor = 0, size;

    for (uint32_t i = 1; i < SOCIETY_CANDIDATES; i++)
        if (count.votes[i] > count.votes[mayor])
            mayor = i;
    size = put_field(out, "mayor ", mayor);
    size += put_field(out + size, " votes ", count.votes[mayor]);
    size += put_field(out + size, " of ", count.people);
    size += put_field(out + size, " coins ", count.coins);
    size += put_field(out + size, " grain ", count.grain);
    size += put_field(out + size, " richest ", count.richest);
    size += put_field(out + size, " check ", count.check);
    out[size++] = '\n';
    return size;
}

static int32_t answer_all(void)
{
    char text[256];
    uint32_t size = put_result(text);
    int32_t result = SWARM_DONE;

    for (; asking_count > 0 && result == SWARM_DONE; asking_count--)
        result = swarm_reply(asking[asking_count - 1], 0, "text/plain", 10, text, size);
    return result;
}

static int32_t begin_some(void)
{
    uint32_t districts = society_districts(&society), wave = districts / WAVES + 1;
    int32_t result = SWARM_DONE;

    for (; wave > 0 && begun < districts && result == SWARM_DONE; wave--)
        result = send_to("district", begun++, "", 0);
    return result == SWARM_DONE && begun < districts ? swarm_timer_start(1, WAVE_NS) : result;
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    (void)id;
    return begin_some();
}

static int32_t take_count(const struct swarm_message *message)
{
    struct society_count other;

    __builtin_memcpy(&other, message->body, sizeof other);
    society_add(&count, &other);
    return count.people < society.people ? SWARM_DONE : answer_all();
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    char text[64];
    uint32_t size;

    if (message->body_size == sizeof count && message->from_size > 0)
        return take_count(message);
    if (message->reply_handle == 0 || asking_count == ASKING_MAX)
        return SWARM_E_INVALID;
    if (message->body_size == 1 && message->body[0] == '?' && count.people < society.people) {
        size = put_field(text, "voted ", count.people);
        size += put_field(text + size, " of ", society.people);
        text[size++] = '\n';
        return swarm_reply(message->reply_handle, 0, "text/plain", 10, text, size);
    }
    asking[asking_count++] = message->reply_handle;
    if (count.people == society.people)
        return answer_all();
    return begun == 0 ? begin_some() : SWARM_DONE;
}
