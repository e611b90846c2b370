/* A backup that goes to a client. Private to this room. Threads, I/O, limits: gateway.h. */
#pragma once
#include "pkg/utils/base/list.h"
#include "web/api/backup.h"

struct gateway_call;

struct gateway_backup {  /* Lives in the request's arena. */
    struct sw_list node; /* In gateway->backups. */
    struct gateway_call *call;
    void *handle; /* Of struct sw_gateway_backup; NULL before it has begun. */
    bool is_busy; /* A done is awaited. */
    bool is_over; /* The client has gone, or the daemon stops: end it when nothing is awaited. */
};

void sw_gateway_serve_backup(struct gateway_call *call);
/* Break it off, now or once what is awaited has come. */
void sw_gateway_backup_end(struct gateway_backup *backup);
