// expects: vjepa::Cpu: the scalar must be float, double or vjepa::bf16
#include "vjepa/cpu/cpu.hpp"

vjepa::Cpu<int> device;
