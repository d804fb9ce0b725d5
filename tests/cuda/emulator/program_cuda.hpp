#pragma once

#include "vjepa/cuda/cuda.hpp"

/// On the emulator, programs would have the library's own attention.
template <class S>
using ProgramCuda = vjepa::Cuda<S>;
