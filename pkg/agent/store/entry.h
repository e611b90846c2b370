/* What instances are entered for, how that ends, and what becomes of what they were entered with,
 * as records say it (record.h).
 *
 * Threads, I/O, Limits: none. */
#pragma once

enum sw_entry { /* What an instance is entered for. */
                SW_ENTRY_START = 1,
                SW_ENTRY_MESSAGE,
                SW_ENTRY_TIMER,
                SW_ENTRY_STOP,  /* Its last: afterwards it is gone. */
                SW_ENTRY_RESET, /* Not entered: its state is forgotten, and with it the instance. */
                SW_ENTRY_RESUME,  /* A turn that waited goes on. */
                SW_ENTRY_UPGRADE, /* To another program: if DONE, its memory is in `image` and all
                                     before is not needed to rebuild it. */
                SW_ENTRY_IMAGE,   /* Not entered: as that, and nothing changed. Always DONE. */
                SW_ENTRY_FORK,    /* Not entered: as that, and the first of an instance that was
                                     made of the past of another one. Always DONE. */
                SW_ENTRY_RELEASE  /* Not entered: from here on what it lets out goes; its effects
                                     are what was held until then. Always DONE. */
};

enum sw_outcome { /* Only DONE and WAITING change state and have effects. */
                  SW_OUTCOME_DONE,
                  SW_OUTCOME_FAILED,
                  SW_OUTCOME_TRAPPED,
                  SW_OUTCOME_DEADLINE,
                  SW_OUTCOME_NO_MEMORY,
                  SW_OUTCOME_WAITING, /* The turn goes on when its wait ends. */
                  SW_OUTCOME_REFUSED, /* Not entered: the input is beyond a limit of the instance.
                                       */
                  SW_OUTCOME_CRASHED, /* Not entered any more: the host crashed whenever it was. */
                  SW_OUTCOME_OUT_OF_FUEL /* It needed more fuel than a segment may use. */
};

enum sw_fate {                /* Of an input whose segment was not done. */
               SW_FATE_TOLD,  /* Whoever waits for it was told; it does not come again. */
               SW_FATE_RETRY, /* It comes again, not before retry_ns. */
               SW_FATE_PARKED /* It is a dead letter of its Pod, named by the record's lsn. */
};
