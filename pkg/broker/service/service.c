#include "pkg/broker/service/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_BYTES 256u /* Of all names in an error. */

struct sw_services {
    struct sw_service items[SW_SERVICES_MAX];
    uint32_t count;
};

struct sw_services *sw_services_new(void)
{
    return calloc(1, sizeof(struct sw_services));
}

void sw_services_free(struct sw_services *services)
{
    free(services);
}

static const struct sw_service *find(const struct sw_services *services, struct sw_bytes name)
{
    for (uint32_t i = 0; i < services->count; i++) {
        const char *other = services->items[i].name;
        if (strlen(other) == name.size && memcmp(other, name.data, name.size) == 0)
            return &services->items[i];
    }
    return NULL;
}

enum sw_rc sw_services_add(struct sw_services *services, const struct sw_service *service,
                           struct sw_err *err)
{
    struct sw_bytes name = {service->name, strlen(service->name)};

    assert(name.size > 0 && name.size <= SW_SERVICE_NAME_MAX);
    if (find(services, name) != NULL)
        return sw_err_set(err, SW_E_EXISTS, "there is a service %s already", service->name);
    if (services->count == SW_SERVICES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "there are %u services already", SW_SERVICES_MAX);
    services->items[services->count++] = *service;
    return SW_OK;
}

enum sw_rc sw_services_replace(struct sw_services *services, const struct sw_service *service,
                               struct sw_err *err)
{
    const struct sw_service *old =
        find(services, (struct sw_bytes){service->name, strlen(service->name)});

    if (old == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no service %s", service->name);
    services->items[old - services->items] = *service;
    return SW_OK;
}

const struct sw_service *sw_services_find(const struct sw_services *services, struct sw_bytes name,
                                          struct sw_err *err)
{
    const struct sw_service *service = find(services, name);
    char names[NAMES_BYTES] = "";

    if (service != NULL)
        return service;
    for (uint32_t i = 0; i < services->count; i++) {
        size_t used = strlen(names), size = strlen(services->items[i].name);
        if (used + size + 3 > sizeof names)
            break;
        if (used > 0)
            memcpy(names + used, ", ", 3);
        strcat(names, services->items[i].name);
    }
    (void)sw_err_set(err, SW_E_NOT_FOUND, "there is no service %.*s on this node; there is: %s",
                     (int)name.size, (const char *)name.data, names);
    return NULL;
}
