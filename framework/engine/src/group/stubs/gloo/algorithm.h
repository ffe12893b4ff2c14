// Stand-ins for the five headers of gloo that ProcessGroupGloo.hpp includes and LibTorch does not
// ship. gloo's types occur there behind pointers only, and all code is in libtorch_cpu.
#pragma once
