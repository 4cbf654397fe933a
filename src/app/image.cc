// keelson image load, list, remove: the engine's store of images, on disk, whether it runs or not.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/commands.h"
#include "app/instance.h"
#include "app/terminal.h"
#include "base/text.h"
#include "codec/json.h"
#include "host/linux/linux_host.h"
#include "node/linux/disk.h"
#include "node/linux/image_archive.h"
#include "node/linux/image_library.h"
#include "node/stand_in_rules.h"

namespace keelson::app {
namespace {

namespace fs = std::filesystem;

int fail(const std::string& message) {
  std::fprintf(stderr, "keelson: %s\n", message.c_str());
  return 1;
}

std::string size_text(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

// The library of an engine and a loop of its own to run programs on.
class Workshop {
 public:
  explicit Workshop(const Instance& instance)
      : library_(*processes_, directory(instance, "images"), directory(instance, "pods")),
        // The library clears away what a process that is gone left under such a name.
        unpacked_(directory(instance, "images") + "/tar." + std::to_string(getpid()) + ".part") {}
  ~Workshop() { node::remove_tree(unpacked_); }

  node::ImageLibrary& library() { return library_; }

  // A file inside of a tar or a directory; empty if it is not there.
  std::string member(const std::string& path, bool is_directory, const std::string& name) {
    if (is_directory) return node::read_whole(path + "/" + name);
    std::string text;
    for (const std::string& spelling : {name, "./" + name}) {
      processes_->run({.argv = {"tar", "-xOf", path, spelling}}, "",
                      [&](Result<host::Processes::Output> output) {
                        if (output.ok() && output->status.code == 0) text = std::move(output->out);
                        loop_.stop();
                      });
      loop_.run();
      if (!text.empty()) break;
    }
    return text;
  }

  // skopeo does not read packed archives of every kind. The result ends with this object.
  Result<std::string> unpack(const std::string& path, const std::string& program) {
    Result<std::string> result = unpacked_;
    processes_->run(
        {.argv = {"sh", "-c", "exec \"$1\" -dc < \"$2\" > \"$3\"", "sh", program, path, unpacked_}},
        "", [&](Result<host::Processes::Output> output) {
          if (!output.ok())
            result = output.error();
          else if (output->status.code != 0)
            result =
                Error{.reason = Reason::bad_request, .message = std::string(trim(output->err))};
          loop_.stop();
        });
    loop_.run();
    return result;
  }

  Result<std::string> load(const std::string& source, const std::string& name) {
    Result<std::string> id = std::string();
    bool ended = false;
    library_.load(source, name, [&](Result<std::string> result) {
      id = std::move(result);
      ended = true;
      loop_.stop();
    });
    if (!ended) loop_.run();
    return id;
  }

 private:
  // Made here if the engine never ran: images may be loaded before it does.
  static std::string directory(const Instance& instance, const std::string& part) {
    const std::string path = instance.directory + "/node/" + part;
    std::error_code ignored;  // told by whatever is put there
    if (prepare_directory(instance).ok()) fs::create_directories(path, ignored);
    return path;
  }

  host::LinuxLoop loop_;
  std::unique_ptr<host::Processes> processes_ = host::make_linux_processes(loop_);
  node::ImageLibrary library_;
  std::string unpacked_;
};

// What stands in the way of loading at all.
std::string missing_tools() {
  if (geteuid() != 0)
    return "images are unpacked by root; without root stand-ins run, images do not";
  for (const char* tool : {"skopeo", "umoci"})
    if (access((std::string("/usr/bin/") + tool).c_str(), X_OK) != 0)
      return std::string(tool) + " is missing: apt-get install " + tool;
  return {};
}

// The program that unpacks a file that begins so; empty: it is not packed.
std::string unpacker_of(const std::string& path) {
  static constexpr std::pair<std::string_view, const char*> kKnown[] = {
      {"\x1f\x8b", "gzip"},
      {"\x28\xb5\x2f\xfd", "zstd"},
      {"\xfd"
       "7zXZ",
       "xz"},
      {"BZh", "bzip2"}};
  char start[6] = {};
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  for (const auto& [mark, program] : kKnown)
    if (std::string_view(start, sizeof start).starts_with(mark)) return program;
  return {};
}

int load_file(Workshop& shop, const std::string& given, const std::string& as) {
  std::error_code failure;
  std::string path = fs::absolute(given).lexically_normal().string();
  if (!fs::exists(path, failure)) return fail(given + ": no such file or directory");
  const bool is_directory = fs::is_directory(path, failure);
  if (const std::string unpacker = is_directory ? "" : unpacker_of(path); !unpacker.empty()) {
    auto unpacked = shop.unpack(path, unpacker);
    if (!unpacked.ok()) return fail(given + ": " + unpacked.error().message);
    path = *unpacked;
  }
  const auto images =
      node::images_of_archive(path, is_directory, shop.member(path, is_directory, "manifest.json"),
                              shop.member(path, is_directory, "index.json"));
  if (!images.ok()) return fail(images.error().message);
  if (!as.empty() && images->size() > 1)
    return fail(given + ": has " + std::to_string(images->size()) + " images; --as names only one");
  for (const node::ArchivedImage& image : *images) {
    const std::vector<std::string> names = as.empty() ? image.names : std::vector<std::string>{as};
    if (names.empty()) return fail(given + ": does not say the image's name; give it by --as NAME");
    for (const std::string& name : names) {
      const auto start = std::chrono::steady_clock::now();
      const auto id = shop.load(image.source, name);
      if (!id.ok()) return fail(given + ": " + name + ": " + id.error().message);
      std::printf("%s loaded in %.1f s\n", node::full_image_name(name)->c_str(),
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int command_image_load(const ImageOptions& options) {
  const auto instance = find_instance(options.common.name);
  if (!instance.ok()) return fail(instance.error().message);
  if (const std::string missing = missing_tools(); !missing.empty()) return fail(missing);
  if (!options.as.empty() && !node::full_image_name(options.as))
    return fail("--as \"" + options.as + "\" is no name of an image");
  if (!options.as.empty() && options.names.size() > 1)
    return fail("--as names only one image; load the files one by one");
  Workshop shop(*instance);
  for (const std::string& path : options.names)
    if (const int code = load_file(shop, path, options.as); code != 0) return code;
  return 0;
}

int command_image_list(const ImageOptions& options) {
  const auto instance = find_instance(options.common.name);
  if (!instance.ok()) return fail(instance.error().message);
  std::vector<node::StoredImage> images;
  if (fs::exists(instance->directory)) images = Workshop(*instance).library().list();
  if (options.common.json) {
    codec::Value list = codec::Value::array();
    for (const node::StoredImage& image : images)
      list.push_back(codec::Value::object(
          {{"name", image.name}, {"id", image.id}, {"bytes", image.bytes}, {"used", image.used}}));
    std::printf("%s\n", codec::to_json_indented(list).c_str());
    return 0;
  }
  std::vector<Row> rows = {{"IMAGE", "DIGEST", "SIZE", "IN USE"}};
  for (const node::StoredImage& image : images)
    rows.push_back({image.name, image.id.substr(image.id.find('@') + 1, 19), size_text(image.bytes),
                    image.used ? "yes" : "no"});
  std::printf("%s", format_table(rows).c_str());
  return 0;
}

int command_image_remove(const ImageOptions& options) {
  const auto instance = find_instance(options.common.name);
  if (!instance.ok()) return fail(instance.error().message);
  if (!fs::exists(instance->directory)) return fail("engine " + instance->name + " has no images");
  Workshop shop(*instance);
  int code = 0;
  for (const std::string& name : options.names) {
    if (const auto removed = shop.library().remove(name); !removed.ok())
      code = fail(removed.error().message);
    else
      std::printf("%s removed\n", node::full_image_name(name).value_or(name).c_str());
  }
  return code;
}

}  // namespace keelson::app
