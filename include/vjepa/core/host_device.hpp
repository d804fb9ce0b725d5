#pragma once

/// Marks a function that both a host compiler and nvcc may call. Core types are used inside kernels,
/// so their members carry it; to a host compiler it is nothing.
#if defined(__CUDACC__)
#define VJEPA_HOST_DEVICE __host__ __device__
#else
#define VJEPA_HOST_DEVICE
#endif
