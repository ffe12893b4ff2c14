// Everything that uses LibTorch, as one translation unit: its headers take longer to parse than the
// rest to compile.

#include "attention.cpp"
#include "backward.cpp"
#include "chain.cpp"
#include "count.cpp"
#include "destination.cpp"
#include "memory.cpp"
#include "norm.cpp"
#include "reduced.cpp"
#include "step.cpp"
