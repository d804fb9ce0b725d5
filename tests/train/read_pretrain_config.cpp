#include "vjepa/train/read_pretrain_config.hpp"

#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// The smallest configuration that is complete.
struct Complete {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "run.yaml";
  Complete() {
    std::ofstream(path) << "data: {batch_size: 2, datasets: [list.csv]}\n"
                           "logging: {folder: out}\n"
                           "mask: [{num_blocks: 8}]\n"
                           "model: {model_name: vit_tiny}\n"
                           "optimization: {epochs: 2, warmup: 1, start_lr: 1.0e-4, lr: 1.0e-3, final_lr: 0,\n"
                           "  weight_decay: 0.04, final_weight_decay: 0.4, ema: [0.99, 1.0]}\n";
  }
  PretrainConfig read(const std::vector<std::string>& overrides = {}) const {
    YamlSection root = read_yaml(path, overrides);
    return read_pretrain_config(root);
  }
};

}  // namespace

TEST_CASE("the official configurations are accepted, every key used or named in a warning") {
  const auto configs = folder("VJEPA_OFFICIAL_CONFIGS", "../shared/official_configs");
  if (configs.empty()) VJEPA_SKIP("no official configurations; set VJEPA_OFFICIAL_CONFIGS to their folder");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(configs / "pretrain")) {
    INFO(entry.path());
    YamlSection root = read_yaml(entry.path(), {"data.datasets=[a.csv]", "logging.folder=/tmp/x"});
    const PretrainConfig config = read_pretrain_config(root);
    CHECK(config.meta.dtype == Precision::bfloat16);
    CHECK(config.mask.size() == 2);
    CHECK(std::get<Multiblock3d>(config.mask[1]).spatial_scale[0] == 0.7);
    CHECK(config.optimization.ipe == 300);
    CHECK(config.optimization.clip_grad == 10.0);
    CHECK(config.meta.seed == 234);
    CHECK(config.data.sampling_rate == 4);
    // nodes, tasks_per_node, decode_one_clip, pin_mem, eval_freq, use_sdpa
    CHECK(root.warnings().size() == 6);
    ++files;
  }
  CHECK(files == 3);
}

TEST_CASE("defaults are those of the official trainer") {
  const PretrainConfig config = Complete().read();
  CHECK(config.meta.dtype == Precision::float32);
  CHECK(config.logging.write_tag == "jepa");
  CHECK(config.data.crop_size == 224);
  CHECK(config.optimization.betas == std::array<double, 2>{0.9, 0.999});
  CHECK_FALSE(config.optimization.clip_grad.has_value());
}

TEST_CASE("values that cannot work are refused with what would") {
  const Complete file;
  const auto refuses = [&](const std::string& override, const std::string& a, const std::string& b) {
    INFO(override);
    CHECK_THROWS_WITH(file.read({override}), Contains(a) && Contains(b));
  };
  refuses("data.crop_size=220", "'data.crop_size' is 220", "no multiple of patch_size 16");
  refuses("data.num_frames=15", "'data.num_frames' is 15", "no multiple of tubelet_size 2");
  refuses("data.batch_size=0", "'data.batch_size' is 0", "at least 1");
  refuses("data.batch_size=two", "a whole number", "'two'");
  refuses("data.dataset_type=ImageNet", "ImageNet", "VideoDataset");
  refuses("data.datasets_weights=[1, 2]", "2 values", "1 datasets");
  refuses("data.datasets_weights=[-1]", "'data.datasets_weights' holds -1", "not be negative");
  refuses("data.datasets_weights=[0]", "'data.datasets_weights' adds up to 0", "above 0");
  refuses("data.clip_duration=0", "'data.clip_duration' is 0", "above 0");
  refuses("data.mask_type=blocks", "'blocks'", "multiblock3d or random_tube");
  refuses("data_aug.random_resize_scale=[1.0, 0.3]", "must rise", "up to 1");
  refuses("data.clip_part=[0.5, 1.5]", "'data.clip_part'", "up to 1");
  CHECK_THROWS_WITH(file.read({"data.resize_on_device=true", "data.static_camera=true"}),
                    Contains("'data.resize_on_device' does not go with static_camera"));
  CHECK_THROWS_WITH(file.read({"data.resize_on_device=true", "data_aug.reprob=0.5"}),
                    Contains("'data.resize_on_device' does not go with data_aug.reprob"));
  refuses("data.cache_gb=-1", "'data.cache_gb' is -1", "must not be negative");
  refuses("model.init_std=0", "'model.init_std' is 0", "above 0");
  refuses("model.rescale_blocks=3", "'model.rescale_blocks'", "true or false");
  refuses("model.recomputed_blocks=-1", "'model.recomputed_blocks' is -1", "not be below 0");
  refuses("mask=[]", "lists no mask", "at least one");
  refuses("mask.0.multiple_of=0", "'mask.0.multiple_of' is 0", "at least 1");
  refuses("mask.0.num_block=3", "unknown key 'mask.0.num_block'", "mask.0.num_blocks");
  refuses("mask.0.spatial_scale=[0.5]", "two values", "mask.0.spatial_scale");
  refuses("meta.dtype=float16", "'float16'", "float32 or bfloat16");
  refuses("model.use_mask_tokens=false", "use_mask_tokens", "not supported");
  refuses("optimization.ema=[0.5, 1.5]", "1.5", "between 0 and 1");
  refuses("optimization.epochs=null", "'optimization.epochs' is missing", "--set");
  refuses("logging.write_tag=a/b", "'a/b'", "'/'");
  refuses("app=ijepa", "'ijepa'", "'vjepa'");
  refuses("optimisation.epochs=3", "unknown key 'optimisation'", "optimization");
}
