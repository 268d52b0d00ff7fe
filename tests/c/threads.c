/* A sweep on several threads, with progress looked at and a cancellation, for ThreadSanitizer. */
#include <stdio.h>
#include <stdlib.h>

#include "polepair/sweep.h"

enum { CASES = 400 };

int main(void)
{
    static double values[CASES], results[CASES];
    static uint8_t status[CASES];
    pp_params base;
    pp_params_default(&base);
    int column = pp_param_find("magnet.Br");
    for (int i = 0; i < CASES; i++)
        values[i] = 1.0 + 0.4 * i / CASES;
    pp_reduced output = {PP_CHANNEL_omega_m, PP_FINAL};
    for (int round = 0; round < 3; round++) {
        pp_sweep sweep = {.base = &base,
                          .columns = &column,
                          .column_count = 1,
                          .values = values,
                          .cases = CASES,
                          .t_end = 0.02,
                          .retune = true,
                          .outputs = &output,
                          .output_count = 1,
                          .results = results,
                          .status = status,
                          .threads = 4,
                          .mode = PP_EXACT};
        pp_sweep_job *job = pp_sweep_start(&sweep);
        if (!job)
            return 1;
        if (round == 2)
            pp_sweep_cancel(job);
        while (!pp_sweep_wait(job, 0.001))
            if (pp_sweep_done(job) > CASES)
                return 1;
        pp_sweep_finish(job);
        int good = 0;
        for (int i = 0; i < CASES; i++)
            good += status[i] == PP_OK;
        printf("%d of %d\n", good, CASES);
        if (round < 2 && good != CASES)
            return 1;
    }
    return 0;
}
