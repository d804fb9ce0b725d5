#pragma once

// The library on a CPU: everything that needs Eigen alone. Rooms with further needs are included by name:
// vjepa/io (nlohmann-json), vjepa/config (yaml-cpp), vjepa/data (FFmpeg), and the products
// vjepa/cpu/blas_gemm.hpp and vjepa/cpu/onednn_gemm.hpp.
#include "vjepa/check/gradient.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/mask/multiblock3d.hpp"
#include "vjepa/mask/random_tube.hpp"
#include "vjepa/model/attentive_classifier.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/optim/adamw.hpp"
#include "vjepa/optim/schedule.hpp"
#include "vjepa/train/jepa_pass.hpp"
#include "vjepa/train/pretrainer.hpp"
#include "vjepa/train/step_cost.hpp"
#include "vjepa/version.hpp"
