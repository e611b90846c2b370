/* The registry of services, and the delay that is always in it. */
#include "pkg/broker/service/delay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CALLS 5000

struct call {
    int number, answers;
    uint64_t at_ms;
};

static struct sw_loop *loop;
static struct sw_delay *delay;
static int answers, wanted;
static struct call calls[CALLS];

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(sw_loop_new(&loop, NULL), SW_OK);
    assert_int_equal(sw_delay_new(loop, sw_system_real(), &delay, NULL), SW_OK);
    answers = 0;
    memset(calls, 0, sizeof calls);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_delay_free(delay);
    sw_loop_free(loop);
    return 0;
}

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static void on_done(void *ctx, const struct sw_service_answer *answer)
{
    struct call *call = ctx;

    assert_int_equal(answer->rc, SW_OK);
    call->answers++;
    call->at_ms = sw_loop_now_ms(loop);
    if (++answers == wanted)
        sw_loop_stop(loop);
}

static enum sw_rc start(struct call *call, struct sw_bytes body, void **ret_ticket,
                        struct sw_err *err)
{
    struct sw_service service = sw_delay_service(delay);
    struct sw_service_call request = {
        .name_space = "default", .agent = "a", .key = text("1"), .body = body};

    return service.start(service.ctx, &request, on_done, call, ret_ticket, err);
}

static void each_of_many_is_answered_once_and_in_its_order(void **state)
{
    char body[16];
    void *ticket;

    (void)state;
    wanted = CALLS;
    for (int i = 0; i < CALLS; i++) {
        snprintf(body, sizeof body, "%d", (i * 7919) % 100);
        assert_int_equal(start(&calls[i], text(body), &ticket, NULL), SW_OK);
    }
    assert_int_equal(answers, 0); /* Never within the call. */
    sw_loop_run(loop);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(calls[i].answers, 1);
    for (int i = 0; i < CALLS; i++)
        for (int k = i + 1; k < i + 50 && k < CALLS; k++)
            if ((i * 7919) % 100 < (k * 7919) % 100)
                assert_true(calls[i].at_ms <= calls[k].at_ms);
}

static void one_that_is_cancelled_is_not_answered(void **state)
{
    struct sw_service service = sw_delay_service(delay);
    void *first, *second, *third;

    (void)state;
    wanted = 1;
    assert_int_equal(start(&calls[0], text("1"), &first, NULL), SW_OK);
    assert_int_equal(start(&calls[1], text("20"), &second, NULL), SW_OK);
    assert_int_equal(start(&calls[2], text("3600000"), &third, NULL), SW_OK);
    service.cancel(service.ctx, first);
    sw_loop_run(loop);
    assert_int_equal(calls[0].answers, 0);
    assert_int_equal(calls[1].answers, 1);
    assert_int_equal(calls[2].answers, 0); /* Freed with the service. */
}

static void only_numbers_up_to_an_hour_are_taken(void **state)
{
    static const char *const wrong[] = {"", "-1", "1.5", "3600001", "99999999", "1 ", " 1", "ms"};
    struct sw_err err = {0};
    void *ticket;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(start(&calls[0], text(wrong[i]), &ticket, &err), SW_E_INVALID);
    assert_int_equal(start(&calls[0], (struct sw_bytes){"1\0002", 3}, &ticket, &err), SW_E_INVALID);
    assert_non_null(strstr(err.message, "milliseconds"));
}

static void names_of_services_are_unique(void **state)
{
    struct sw_services *services = sw_services_new();
    struct sw_service service = sw_delay_service(delay);
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_services_add(services, &service, &err), SW_OK);
    assert_int_equal(sw_services_add(services, &service, &err), SW_E_EXISTS);
    service.name = "another";
    assert_int_equal(sw_services_add(services, &service, &err), SW_OK);
    assert_string_equal(sw_services_find(services, text("another"), &err)->name, "another");
    assert_null(sw_services_find(services, text("anothe"), &err));
    assert_null(sw_services_find(services, text(""), &err));
    assert_int_equal(err.rc, SW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "there is: swarm.delay, another"));
    sw_services_free(services);
}

static void there_is_an_end_to_how_many_there_are(void **state)
{
    static char names[SW_SERVICES_MAX + 1][8];
    struct sw_services *services = sw_services_new();
    struct sw_service service = sw_delay_service(delay);
    struct sw_err err = {0};

    (void)state;
    for (uint32_t i = 0; i <= SW_SERVICES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "s%u", (unsigned)i);
        service.name = names[i];
        assert_int_equal(sw_services_add(services, &service, &err),
                         i < SW_SERVICES_MAX ? SW_OK : SW_E_EXHAUSTED);
    }
    assert_null(sw_services_find(services, text("none"), &err)); /* The hint has an end, too. */
    sw_services_free(services);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_of_many_is_answered_once_and_in_its_order),
        TEST(one_that_is_cancelled_is_not_answered),
        TEST(only_numbers_up_to_an_hour_are_taken),
        TEST(names_of_services_are_unique),
        TEST(there_is_an_end_to_how_many_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
