// Instruction set of the kernels.

#pragma once

enum class Level { baseline, avx2, avx512 };

Level level();
