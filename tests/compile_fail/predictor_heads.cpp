// expects: vjepa::Predictor: dim must be a multiple of heads
#include "vjepa/model/predictor.hpp"

vjepa::Predictor<vjepa::PredictorDims{.encoder_dim = 96, .dim = 100, .heads = 3}> predictor;
