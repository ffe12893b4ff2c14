// All that is made of LibTorch's parts, as one unit: its headers take longer to read than the rest to compile.

#include "backward.cpp"
#include "chain.cpp"
#include "destination.cpp"
#include "memory.cpp"
#include "reduced.cpp"
#include "step.cpp"
