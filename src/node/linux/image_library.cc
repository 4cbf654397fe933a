#include "node/linux/image_library.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/texts.h"
#include "node/linux/disk.h"
#include "node/stand_in_rules.h"

namespace keelson::node {
namespace {

Value read_json(const std::string& path) {
  const auto parsed = codec::parse_json(read_whole(path));
  return parsed.ok() ? *parsed : Value();
}

int signal_number(std::string_view name) {
  const std::pair<std::string_view, int> known[] = {{"SIGQUIT", 3},   {"SIGINT", 2},
                                                    {"SIGWINCH", 28}, {"SIGHUP", 1},
                                                    {"SIGKILL", 9},   {"SIGUSR1", 10}};
  for (const auto& [text, number] : known)
    if (text == name) return number;
  return static_cast<int>(parse_int(name).value_or(0));
}

// The last line of a tool's complaint, which is the one that says what is wrong.
std::string complaint(const std::string& text) {
  const std::string_view trimmed = trim(text);
  std::string line(
      trimmed.substr(trimmed.rfind('\n') == std::string_view::npos ? 0 : trimmed.rfind('\n') + 1));
  if (const std::size_t at = line.find("msg=\""); at != std::string::npos) {
    line = line.substr(at + 5);
    if (line.ends_with("\"")) line.pop_back();
    for (std::size_t quoted = 0; (quoted = line.find("\\\"", quoted)) != std::string::npos;)
      line.erase(quoted, 1);
  }
  return line;
}

// A blob of an OCI layout by its digest, "sha256:...".
Value blob(const std::string& layout, std::string digest) {
  const std::size_t colon = digest.find(':');
  if (colon == std::string::npos) return {};
  digest[colon] = '/';
  return read_json(layout + "/blobs/" + digest);
}

}  // namespace

// One download: the steps are programs, run one after the other.
struct ImageLibrary::Fetch {
  std::string source, name, work;
  std::vector<std::vector<std::string>> steps;
};

ImageLibrary::ImageLibrary(host::Processes& processes, std::string directory, std::string pods)
    : processes_(processes), directory_(std::move(directory)), pods_(std::move(pods)) {}

ImageLibrary::~ImageLibrary() {
  *alive_ = false;
}

std::string ImageLibrary::directory_of(const std::string& full_name) const {
  return directory_ + "/" + std::to_string(hash64(full_name));
}

bool ImageLibrary::find(const std::string& full_name, Image& image) const {
  const std::string directory = directory_of(full_name);
  const Value stored = read_json(directory + "/image.json");
  if (stored["name"].as_string() != full_name) return false;
  const Value& config = stored["config"];
  image.kind = Image::Kind::stored;
  image.name = full_name;
  image.id = stored["id"].str();
  image.rootfs = directory + "/bundle/rootfs";
  image.environment = codec::texts_of(config["Env"]);
  image.entrypoint = codec::texts_of(config["Entrypoint"]);
  image.command = codec::texts_of(config["Cmd"]);
  image.working_directory = config["WorkingDir"].str();
  image.user = config["User"].str();
  image.stop_signal = signal_number(config["StopSignal"].as_string());
  return true;
}

void ImageLibrary::load(const std::string& source, const std::string& name, Done done,
                        const std::string& credentials) {
  const auto full_name = full_image_name(name);
  if (!full_name) return done(Error{Reason::invalid, "invalid image name " + quote(name)});
  auto& waiting = fetching_[*full_name];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  auto fetch = std::make_shared<Fetch>();
  fetch->source = source;
  fetch->name = *full_name;
  fetch->work = directory_of(*full_name) + "." + std::to_string(::getpid()) + ".part";
  discard(fetch->work);
  (void)make_directory(fetch->work, 0755);
  const std::string copy = fetch->work + "/oci:image";
  std::vector<std::string> fetch_argv = {"skopeo", "copy", "--quiet"};
  if (!credentials.empty()) {
    (void)write_whole(fetch->work + "/auth.json", credentials, 0600);
    fetch_argv.insert(fetch_argv.end(), {"--authfile", fetch->work + "/auth.json"});
  }
  fetch_argv.insert(fetch_argv.end(), {source, "oci:" + copy});
  fetch->steps = {fetch_argv, {"umoci", "unpack", "--image", copy, fetch->work + "/bundle"}};
  run(fetch, 0);
}

void ImageLibrary::run(const std::shared_ptr<Fetch>& fetch, std::size_t step) {
  host::SpawnOptions options;
  options.argv = fetch->steps[step];
  options.directory = "/";
  processes_.run(
      options, "", [this, alive = alive_, fetch, step](Result<host::Processes::Output> output) {
        if (!*alive) return;
        Result<std::string> result = std::string();
        if (!output.ok() || output->status.code != 0)
          result = Error{Reason::internal_error,
                         output.ok() ? complaint(output->err.empty() ? output->out : output->err)
                                     : output.error().message};
        else if (step + 1 < fetch->steps.size())
          return run(fetch, step + 1);
        else
          result = put_in_place(*fetch);
        discard(fetch->work);
        empty_trash();
        for (const auto& done : std::exchange(fetching_[fetch->name], {})) done(result);
        fetching_.erase(fetch->name);
      });
}

Result<std::string> ImageLibrary::put_in_place(const Fetch& fetch) {
  const std::string layout = fetch.work + "/oci";
  const Value index = read_json(layout + "/index.json");
  const std::string digest = index["manifests"][0]["digest"].str();
  const Value manifest = blob(layout, digest);
  if (!manifest.is_object()) return Error{Reason::internal_error, "the image has no manifest"};
  std::int64_t bytes = manifest["config"]["size"].as_int();
  for (const Value& layer : manifest["layers"].elements()) bytes += layer["size"].as_int();
  const std::string id = fetch.name.substr(0, fetch.name.find_last_of(":@")) + "@" + digest;
  const Value stored =
      Value::object({{"name", fetch.name},
                     {"id", id},
                     {"bytes", bytes},
                     {"config", blob(layout, manifest["config"]["digest"].str())["config"]}});
  TRY_VOID(write_whole(fetch.work + "/image.json", codec::to_json(stored)));
  discard(layout);
  ::unlink((fetch.work + "/auth.json").c_str());
  const std::string home = directory_of(fetch.name);
  TRY_VOID(put_away(home));
  if (::rename(fetch.work.c_str(), home.c_str()) != 0)
    return Error{Reason::internal_error, "the image could not be put in its place"};
  return id;
}

// Out of sight; its files stay for containers that stand on them.
Result<void> ImageLibrary::put_away(const std::string& home) {
  if (::access(home.c_str(), F_OK) != 0) return {};
  for (int n = 1;; ++n) {
    const std::string trash = home + "." + std::to_string(n) + ".gone";
    if (::access(trash.c_str(), F_OK) == 0) continue;
    if (::rename(home.c_str(), trash.c_str()) == 0) return {};
    return Error{Reason::internal_error, home + " cannot be put away"};
  }
}

std::set<std::string> ImageLibrary::ids_in_use() const {
  std::set<std::string> ids;
  for (const std::string& uid : names_in(pods_))
    for (const std::string& run : names_in(pods_ + "/" + uid + "/c"))
      ids.insert(read_json(pods_ + "/" + uid + "/c/" + run + "/state.json")["image_id"].str());
  return ids;
}

// Out of sight by a rename; the files, which may be many, are removed by rm(1).
void ImageLibrary::discard(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return;
  const std::string trash = directory_ + "/.trash";
  (void)make_directory(trash, 0700);
  const std::string name =
      trash + "/" + std::to_string(::getpid()) + "-" + std::to_string(++discarded_);
  if (::rename(path.c_str(), name.c_str()) != 0) return remove_tree(path);
  host::SpawnOptions options;
  options.argv = {"rm", "-rf", "--one-file-system", "--", name};
  options.directory = "/";
  processes_.run(options, "", [](Result<host::Processes::Output>) {});
}

void ImageLibrary::empty_trash() {
  const std::string trash = directory_ + "/.trash";
  for (const std::string& entry : names_in(trash)) {
    const int pid = static_cast<int>(parse_int(entry.substr(0, entry.find('-'))).value_or(0));
    const bool gone = pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH);
    if (gone) discard(trash + "/" + entry);
  }
  const std::set<std::string> used = ids_in_use();
  for (const std::string& entry : names_in(directory_)) {
    const std::string path = directory_ + "/" + entry;
    if (entry.ends_with(".gone")) {
      if (used.count(read_json(path + "/image.json")["id"].str()) == 0) discard(path);
    } else if (entry.ends_with(".part")) {
      const auto parts = split(entry, '.');
      const int pid = parts.size() == 3 ? static_cast<int>(parse_int(parts[1]).value_or(0)) : 0;
      if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH)) discard(path);
    }
  }
}

std::vector<StoredImage> ImageLibrary::list() const {
  const std::set<std::string> used = ids_in_use();
  std::vector<StoredImage> images = stored();
  for (StoredImage& image : images) image.used = used.count(image.id) > 0;
  return images;
}

Instant ImageLibrary::changed_at() const {
  struct stat info {};
  if (::stat(directory_.c_str(), &info) != 0) return Instant();
  return Instant::unix_nanoseconds(info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec);
}

std::vector<StoredImage> ImageLibrary::stored() const {
  std::vector<StoredImage> images;
  for (const std::string& entry : names_in(directory_)) {
    if (entry.find('.') != std::string::npos) continue;
    const Value image = read_json(directory_ + "/" + entry + "/image.json");
    if (!image.is_object()) continue;
    images.push_back({image["name"].str(), image["id"].str(), image["bytes"].as_int(), false});
  }
  std::sort(images.begin(), images.end(),
            [](const StoredImage& a, const StoredImage& b) { return a.name < b.name; });
  return images;
}

Result<void> ImageLibrary::remove(const std::string& name) {
  const std::string full_name = full_image_name(name).value_or(name);
  Image image;
  if (!find(full_name, image))
    return Error{Reason::not_found, "image " + quote(full_name) + " is not in the local store"};
  if (ids_in_use().count(image.id) > 0)
    return Error{Reason::conflict, "image " + quote(full_name) + " is in use by a container"};
  TRY_VOID(put_away(directory_of(full_name)));
  empty_trash();
  return {};
}

}  // namespace keelson::node
