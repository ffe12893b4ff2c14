// OpenMP's threads wait for each other by spinning: the shortest wait while every thread has a core,
// and the longest where one has none, because the spinning ones hold the cores. libgomp spins only
// shortly, and then sleeps, as long as the process has more OpenMP threads than cores (its manual:
// GOMP_SPINCOUNT). A team that does nothing makes it so.

#include <omp.h>

// Gives the calling thread an idle team, large enough that beside a team of `threads` there are more
// threads than cores. It ends with the calling thread.
extern "C" void triflow_crowd(int threads) {
  const int missing = omp_get_num_procs() + 1 - threads;
#pragma omp parallel num_threads(missing > 0 ? missing + 1 : 2)
  {
    // The compiler would leave out a region without effect.
    asm volatile("");
  }
}
