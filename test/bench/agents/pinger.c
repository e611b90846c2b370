/* Who pings members, beside member.c. "sum" is asked with a job, "AGENT RANDOM FIRST KEYS COUNT
 * PARENTS FLIGHT": the instances "0" to PARENTS - 1 of this Agent ping AGENT's members FIRST to
 * FIRST + KEYS - 1, each of them once or (RANDOM is 1) COUNT of them at random, each parent FLIGHT
 * at a time. Each looks at every answer; when it has all, it tells "sum", which answers with the
 * job if nothing was wrong.
 *
 * Asked "?", "sum" says what the last job came to: how many answers, the pings of all members that
 * answered, and how many answers took how long: pairs of a time in ns and a count. */
#include "crowd.h"

#include <swarm/agent.h>

#include <stdbool.h>

#define JOB_MAX 128u
#define NAME_MAX 96u
#define STEPS 8u            /* Of times, from one power of two to the next. */
#define TIMES (32u * STEPS) /* Up to 17 s; what is longer counts as that. */
#define NS_PER_MS 1000000u

SWARM_AGENT;

struct job {
    uint32_t is_random, first, keys, count, parents, flight;
};

struct report { /* 1,048 bytes. */
    uint64_t answers, pings, wrong;
    uint32_t times[TIMES];
};

static struct job job;
static struct report report;
/* Of all members that were pinged and have not answered the sum must be nothing in the end. */
static uint64_t handle, open_sum, random_state;
static char text[JOB_MAX], own_agent[NAME_MAX / 2], to[NAME_MAX]; /* With a slash behind it. */
static uint32_t text_size, own_agent_size, to_agent_size, parent, sent, share, owed, reports, told;
static bool is_sum;

/* --- Texts ----------------------------------------------------------------------------------- */

static uint32_t put_number(char *out, uint64_t number)
{
    char digits[20];
    uint32_t at = sizeof digits, size = 0;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (at < sizeof digits)
        out[size++] = digits[at++];
    return size;
}

static uint32_t number_at(const char *words, uint32_t size, uint32_t *at)
{
    uint32_t value = 0;

    while (*at < size && (words[*at] < '0' || words[*at] > '9'))
        ++*at;
    for (; *at < size && words[*at] >= '0' && words[*at] <= '9'; ++*at)
        value = value * 10 + (uint32_t)(words[*at] - '0');
    return value;
}

/* False: it is no job. */
static bool read_job(const char *words, uint32_t size)
{
    uint32_t at = 0;

    while (at < size && at < NAME_MAX / 2 && words[at] != ' ') {
        to[at] = words[at];
        at++;
    }
    to_agent_size = at + 1;
    to[at] = '/';
    job.is_random = number_at(words, size, &at);
    job.first = number_at(words, size, &at);
    job.keys = number_at(words, size, &at);
    job.count = number_at(words, size, &at);
    job.parents = number_at(words, size, &at);
    job.flight = number_at(words, size, &at);
    return job.keys > 0 && job.parents > 0 && job.flight > 0 &&
           (job.is_random != 0 || job.count == job.keys);
}

int32_t SWARM_EXPORT(on_start)(void)
{
    char key[12];
    int32_t size = swarm_self(SWARM_SELF_KEY, key, sizeof key);
    uint32_t at = 0;

    is_sum = key[0] == 's';
    if (!is_sum)
        parent = number_at(key, (uint32_t)size, &at);
    own_agent_size = (uint32_t)swarm_self(SWARM_SELF_AGENT, own_agent, sizeof own_agent);
    return SWARM_DONE;
}

static int32_t send_own(const char *key, uint32_t key_size, const char *type, uint32_t type_size,
                        const void *body, uint32_t size)
{
    char name[NAME_MAX];

    __builtin_memcpy(name, own_agent, own_agent_size);
    name[own_agent_size] = '/';
    __builtin_memcpy(name + own_agent_size + 1, key, key_size);
    return swarm_send(name, own_agent_size + 1 + key_size, type, type_size, body, size,
                      SWARM_PRIORITY_NORMAL, 0);
}

/* --- A parent -------------------------------------------------------------------------------- */

static uint32_t next_key(void)
{
    if (job.is_random == 0)
        return job.first + sent * job.parents + parent;
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return job.first + (uint32_t)(((random_state >> 32) * job.keys) >> 32);
}

static int32_t tell_sum(void)
{
    return send_own("sum", 3, "", 0, &report, sizeof report) == SWARM_OK
               ? SWARM_DONE
               : swarm_timer_start(2, NS_PER_MS);
}

/* So many pings more, as far as there are. What is pushed back goes out after the timer. */
static int32_t ping(uint32_t more)
{
    struct crowd_ping body = {.time_ns = swarm_now()};

    for (owed += more; owed > 0 && sent < share; owed--) {
        uint64_t before = random_state;
        uint32_t key = next_key(), size = to_agent_size;

        body.number = sent;
        size += put_number(to + size, key);
        if (swarm_send(to, size, "", 0, &body, sizeof body, SWARM_PRIORITY_NORMAL, 0) != SWARM_OK) {
            random_state = before;
            return swarm_timer_start(1, NS_PER_MS);
        }
        open_sum += crowd_word(key, sent++);
    }
    owed = 0;
    return SWARM_DONE;
}

static int32_t begin(const struct swarm_message *m)
{
    if (!read_job((const char *)m->body, m->body_size))
        return SWARM_E_INVALID;
    report = (struct report){0};
    open_sum = 0;
    sent = owed = 0;
    random_state = (parent + 1) * CROWD_FACTOR + m->time_ns;
    share = job.count / job.parents + (parent < job.count % job.parents);
    return share == 0 ? tell_sum() : ping(job.flight);
}

/* Which of the counts a time belongs to: its highest bit, and the three behind it. */
static uint32_t step_of(uint64_t ns)
{
    uint32_t power = ns < STEPS ? 0 : 63u - (uint32_t)__builtin_clzll(ns);
    uint32_t step = ns < STEPS ? (uint32_t)ns : (power - 3) * STEPS + (uint32_t)(ns >> (power - 3));

    return step < TIMES ? step : TIMES - 1;
}

static int32_t take(const struct swarm_message *m)
{
    struct crowd_answer answer;
    uint64_t passed_ns;

    __builtin_memcpy(&answer, m->body, sizeof answer);
    passed_ns = m->time_ns > answer.time_ns ? m->time_ns - answer.time_ns : 0;
    report.wrong += answer.pings == 0 || answer.sum != crowd_sum(answer.key, answer.pings) ||
                    answer.key - job.first >= job.keys;
    report.answers++;
    report.pings += answer.pings;
    report.times[step_of(passed_ns)]++;
    open_sum -= crowd_word(answer.key, (uint32_t)answer.number);
    if (report.answers < share)
        return ping(1);
    report.wrong += open_sum != 0;
    return tell_sum();
}

/* --- "sum" ----------------------------------------------------------------------------------- */

/* Those that were not told yet. Just after a start some cannot be reached. */
static int32_t tell_parents(void)
{
    char key[20];

    for (; told < job.parents; told++)
        if (send_own(key, put_number(key, told), "job", 3, text, text_size) != SWARM_OK)
            return swarm_timer_start(3, NS_PER_MS);
    return SWARM_DONE;
}

static int32_t set_to_work(const struct swarm_message *m)
{
    if (m->body_size > JOB_MAX || !read_job((const char *)m->body, m->body_size))
        return SWARM_E_INVALID;
    report = (struct report){0};
    reports = 0;
    handle = m->reply_handle;
    text_size = m->body_size;
    __builtin_memcpy(text, m->body, text_size);
    told = 0;
    return tell_parents();
}

static int32_t add(const struct swarm_message *m)
{
    static struct report one;
    bool is_right;

    __builtin_memcpy(&one, m->body, sizeof one);
    report.answers += one.answers;
    report.pings += one.pings;
    report.wrong += one.wrong;
    for (uint32_t i = 0; i < TIMES; i++)
        report.times[i] += one.times[i];
    if (++reports < job.parents)
        return SWARM_DONE;
    is_right = report.wrong == 0 && report.answers == job.count;
    return swarm_reply(handle, is_right ? 0 : SWARM_E_INVALID, "", 0, text, text_size);
}

/* The middle of the times that a count stands for. */
static uint64_t time_of(uint32_t step)
{
    uint32_t power = step / STEPS;

    return power == 0
               ? step
               : (((uint64_t)STEPS + step % STEPS) << (power - 1)) + ((1ull << (power - 1)) >> 1);
}

static int32_t tell(const struct swarm_message *m)
{
    static char words[TIMES * 24];
    uint32_t size = put_number(words, report.answers);

    words[size++] = ' ';
    size += put_number(words + size, report.pings);
    for (uint32_t i = 0; i < TIMES; i++) {
        if (report.times[i] == 0)
            continue;
        words[size++] = ' ';
        size += put_number(words + size, time_of(i));
        words[size++] = ' ';
        size += put_number(words + size, report.times[i]);
    }
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, words, size);
}

int32_t SWARM_EXPORT(on_timer)(uint64_t id)
{
    if (id == 3)
        return tell_parents();
    return id == 2 ? tell_sum() : ping(0);
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return m->body_size == 1 ? tell(m) : set_to_work(m);
    if (m->type_size > 0)
        return begin(m);
    return is_sum ? add(m) : take(m);
}
