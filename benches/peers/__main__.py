"""The peers' side of `make bench`: the problems of benches/*.yaml in JAX and in PyTorch, written
for speed as users of each would.

    peers jax   CONFIG FILE check|scan|step|euler|midpoint
    peers torch CONFIG FILE check|train|euler|midpoint|product [--layout last] [--how compile]
                            [--precision bf16] [--count]

FILE has parameters, inputs and loss from benches/worker.rs. `check` prints the loss of the side at
them, `--count` the floating-point operations of a training step or a sampled point. All others have the protocol of worker.rs: a line of seconds is answered by units a second and CPU seconds a
unit."""

import argparse
import resource
import sys
import time

import problem


def serve(work):
    def cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    began = time.perf_counter()
    work()
    first = time.perf_counter() - began
    work()
    print(f"ready {first:.2f}", flush=True)
    for line in sys.stdin:
        seconds, units, before, began = float(line), 0, cpu(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            units += work()
        took = time.perf_counter() - began
        print(units / took, (cpu() - before) / units, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["jax", "torch"])
    parser.add_argument("config")
    parser.add_argument("file")
    parser.add_argument("what")
    parser.add_argument("--how", choices=["eager", "compile"], default="eager")
    parser.add_argument("--layout", choices=["first", "last"], default="first", help="of an image's channels")
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--count", action="store_true")
    given = parser.parse_args()
    p = problem.read(given.config, given.file)
    if given.side == "jax":
        import jax_side

        work = jax_side.work(p, given.what)
    else:
        import torch_side

        if given.count:
            print(torch_side.operations(p, given.what))
            return
        work = torch_side.work(p, given.what, given.how, given.layout, given.precision)
    if work:
        serve(work)


main()
