#include "vjepa/train/read_probe_config.hpp"

#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// The smallest configurations that are complete.
struct Complete {
  TemporaryFolder folder;
  std::filesystem::path video = folder.path() / "video.yaml";
  std::filesystem::path image = folder.path() / "image.yaml";
  Complete() {
    const std::string shared =
        "optimization: {num_epochs: 2, batch_size: 4, weight_decay: 0.01, lr: 1.0e-3, start_lr: 1.0e-3, final_lr: 0}\n"
        "pretrain: {model_name: vit_tiny, folder: runs, checkpoint: a.pth.tar, write_tag: jepa}\n";
    std::ofstream(video) << "eval_name: video_classification_frozen\ntag: k400\n"
                            "data: {dataset_train: a.csv, dataset_val: b.csv, num_classes: 3}\n"
                         << shared;
    std::ofstream(image) << "eval_name: image_classification_frozen\n"
                            "data: {root_path: images, image_folder: flowers, num_classes: 3}\n"
                         << shared;
  }
  static ProbeConfig read(const std::filesystem::path& path, const std::vector<std::string>& overrides = {}) {
    YamlSection root = read_yaml(path, overrides);
    return read_probe_config(root);
  }
};

}  // namespace

TEST_CASE("the official evaluations are accepted, every key used or named in a warning") {
  const auto configs = folder("VJEPA_OFFICIAL_CONFIGS", "../shared/official_configs");
  if (configs.empty()) VJEPA_SKIP("no official configurations; set VJEPA_OFFICIAL_CONFIGS to their folder");
  int videos = 0;
  int images = 0;
  for (const auto& entry : std::filesystem::directory_iterator(configs / "evals")) {
    INFO(entry.path());
    YamlSection root = read_yaml(entry.path());
    const ProbeConfig config = read_probe_config(root);
    const bool high = entry.path().filename().string().find("384") != std::string::npos;
    CHECK(config.data.resolution == (high ? 384 : 224));
    CHECK(config.optimization.dtype == Precision::bfloat16);
    CHECK(config.optimization.lr == 0.001);
    CHECK(config.optimization.num_epochs == 20);
    CHECK(config.pretrain.checkpoint_key == "target_encoder");
    CHECK(config.pretrain.path().filename() == "jepa-latest.pth.tar");
    CHECK(config.data_aug.auto_augment);
    CHECK(config.data_aug.random_resize_scale == std::array<double, 2>{0.08, 1.0});
    CHECK(config.data_aug.reprob == 0.25);
    CHECK(config.data_aug.random_horizontal_flip == (config.kind == ProbeConfig::Kind::image));
    CHECK(config.data.frames_per_clip == 16);
    if (config.kind == ProbeConfig::Kind::video) {
      CHECK(config.optimization.attend_across_segments);
      CHECK(config.data.num_views_per_segment == 3);
      CHECK(config.data.frame_step == 4);
      CHECK(root.warnings().size() == 3);  // nodes, tasks_per_node, use_sdpa
      ++videos;
    } else {
      CHECK(config.optimization.weight_decay == 0.001);
      CHECK(root.warnings().size() == 4);  // and dataset_name
      ++images;
    }
  }
  CHECK(videos == 6);
  CHECK(images == 9);
}

TEST_CASE("an evaluation writes where the official one does, unless told otherwise") {
  const Complete file;
  CHECK(Complete::read(file.video).folder == "runs/video_classification_frozen/k400");
  CHECK(Complete::read(file.image).folder == "runs/image_classification_frozen/");
  CHECK(Complete::read(file.video, {"logging.folder=elsewhere"}).folder == "elsewhere");
}

TEST_CASE("evaluations that cannot work are refused with what would") {
  const Complete file;
  const auto refuses = [&](const std::string& override, const std::string& a, const std::string& b) {
    INFO(override);
    CHECK_THROWS_WITH(Complete::read(file.video, {override}), Contains(a) && Contains(b));
  };
  refuses("eval_name=video_finetuning", "'video_finetuning'", "video_classification_frozen");
  refuses("data.num_classes=0", "'data.num_classes' is 0", "at least 1");
  refuses("data.num_classes=9000000000", "'data.num_classes' is 9000000000", "at most 1048576");
  refuses("data.num_workers=2000", "'data.num_workers' is 2000", "at most 1024");
  refuses("optimization.resolution=160000", "'optimization.resolution' is 160000", "more than 268435456 pixels");
  refuses("data.num_classes=null", "'data.num_classes' is missing", "--set");
  refuses("data.num_segment=2", "unknown key 'data.num_segment'", "data.num_segments");
  refuses("data.frames_per_clip=15", "frames_per_clip 15", "no multiple of pretrain.tubelet_size 2");
  refuses("data.dataset_type=ImageNet", "'ImageNet'", "VideoDataset");
  refuses("data.root_path=x", "unknown key 'data.root_path'", "--set");
  refuses("optimization.resolution=220", "resolution 220", "no multiple of pretrain.patch_size 16");
  refuses("optimization.batch_size=0", "'optimization.batch_size' is 0", "at least 1");
  refuses("optimization.lr=-1", "'optimization.lr' is -1", "negative");
  refuses("pretrain.use_silu=true", "'pretrain.use_silu' is true", "GELU");
  refuses("pretrain.write_tag=a/b", "'a/b'", "'/'");
  refuses("probe.depth=0", "'probe.depth' is 0", "at least 1");
  refuses("probe.knn_temperature=0", "'probe.knn_temperature' is 0", "above 0");
}

TEST_CASE("keys that others leave without effect are named in warnings") {
  const Complete file;
  const auto warns = [&](const std::filesystem::path& path, const std::vector<std::string>& overrides,
                         const std::string& expected) {
    INFO(expected);
    YamlSection root = read_yaml(path, overrides);
    read_probe_config(root);
    REQUIRE(root.warnings().size() == 1);
    CHECK_THAT(root.warnings().front(), Contains(expected));
  };
  warns(file.video, {"probe.use_pos_embed=true"}, "'probe.use_pos_embed' has no effect without");
  warns(file.video, {"data.frame_step=2", "data.clip_part=[0.5, 0.5]"},
        "'data.frame_step' has no effect beside data.clip_part");
  warns(file.video, {"data.frame_step=2", "pretrain.clip_duration=3"},
        "'data.frame_step' has no effect beside pretrain.clip_duration");
  warns(file.video, {"pretrain.clip_duration=3", "data.clip_part=[0.5, 0.5]"},
        "'pretrain.clip_duration' has no effect");
  warns(file.video, {"probe.fixed_train_views=true", "data_aug.reprob=0"}, "'data_aug' has no effect");
  warns(file.image, {"pretrain.clip_duration=3"}, "'pretrain.clip_duration' has no effect on images");
  warns(file.image, {"data_aug.motion_shift=true"}, "'data_aug.motion_shift' has no effect on images");
}

TEST_CASE("an augmentation that the file sets replaces the official evaluation's") {
  const Complete file;
  const ProbeConfig config = Complete::read(file.video, {"data_aug.auto_augment=false", "data_aug.reprob=0.5"});
  CHECK_FALSE(config.data_aug.auto_augment);
  CHECK(config.data_aug.reprob == 0.5);
  CHECK(config.data_aug.random_resize_scale == std::array<double, 2>{0.08, 1.0});
}
