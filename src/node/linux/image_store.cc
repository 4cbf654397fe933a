// An image becomes visible by one rename, complete.
#include "node/linux/image_store.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "node/linux/disk.h"
#include "node/stand_in_rules.h"

namespace keelson::node {
namespace {

Value read_json(const std::string& path) {
  const auto parsed = codec::parse_json(read_whole(path));
  return parsed.ok() ? *parsed : Value();
}

std::vector<std::string> words_of(const Value& list) {
  std::vector<std::string> words;
  for (const Value& word : list.elements()) words.push_back(word.str());
  return words;
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
  }
  return line;
}

}  // namespace

// One download: the steps are programs, run one after the other.
struct ImageStore::Fetch {
  std::string source, name, work;
  std::vector<std::vector<std::string>> steps;
  std::string config;  // output of the last but one step
};

ImageStore::ImageStore(cluster::Cluster& cluster, host::Processes& processes, Options options)
    : cluster_(cluster), processes_(processes), options_(std::move(options)) {}

ImageStore::~ImageStore() {
  *alive_ = false;
}

std::string ImageStore::directory_of(const std::string& full_name) const {
  return options_.directory + "/" + std::to_string(hash64(full_name));
}

bool ImageStore::find(const std::string& full_name, Image& image) const {
  const std::string directory = directory_of(full_name);
  const Value stored = read_json(directory + "/image.json");
  if (stored["name"].as_string() != full_name) return false;
  const Value& config = stored["config"];
  image.kind = Image::Kind::stored;
  image.name = full_name;
  image.id = stored["id"].str();
  image.rootfs = directory + "/bundle/rootfs";
  image.environment = words_of(config["Env"]);
  image.entrypoint = words_of(config["Entrypoint"]);
  image.command = words_of(config["Cmd"]);
  image.working_directory = config["WorkingDir"].str();
  image.user = config["User"].str();
  image.stop_signal = signal_number(config["StopSignal"].as_string());
  return true;
}

void ImageStore::ensure(const Value& pod, const Value& container, OnImage done) {
  const std::string image = container["image"].str();
  ImageOutcome outcome;
  if (auto stand_in = stand_in_for(cluster_.list(options_.platforms), image)) {
    outcome.ok = true;
    outcome.notices.push_back({true, "StandIn", stand_in_notice(*stand_in)});
    return done(std::move(outcome), std::move(*stand_in));
  }
  const auto full_name = full_image_name(image);
  if (!full_name) {
    outcome.reason = "InvalidImageName";
    outcome.message = "Failed to apply default image tag " + quote(image) +
                      ": couldn't parse image name " + quote(image) + ": invalid reference format";
    outcome.notices.push_back({true, "InspectFailed", outcome.message});
    return done(std::move(outcome), {});
  }
  Image found;
  if (find(*full_name, found)) {
    outcome.ok = true;
    outcome.notices.push_back({false, "Pulled",
                               "Container image " + quote(image) +
                                   " already present on machine and can be accessed by the pod"});
    return done(std::move(outcome), std::move(found));
  }
  if (container["imagePullPolicy"].as_string() == "Never") {
    outcome.reason = "ErrImageNeverPull";
    outcome.message =
        "Container image " + quote(image) + " is not present with pull policy of Never";
    outcome.notices.push_back({true, "ErrImageNeverPull", outcome.message});
    return done(std::move(outcome), {});
  }
  pull(pod, image, *full_name, done);
}

// The pod's pull secrets in one docker config.json; empty without any.
std::string ImageStore::credentials_of(const Value& pod) const {
  Value auths = Value::object();
  for (const Value& reference : pod["spec"]["imagePullSecrets"].elements()) {
    const Value secret =
        cluster_.get("secrets", model::namespace_of(pod), reference["name"].as_string());
    const auto bytes = from_base64(secret["data"][".dockerconfigjson"].as_string());
    const auto config = bytes ? codec::parse_json(*bytes) : Result<Value>(Value());
    if (!config.ok()) continue;
    for (const codec::Member& member : (*config)["auths"].members())
      auths.set(member.key(), member.value);
  }
  if (auths.empty()) return {};
  return codec::to_json(Value::object({{"auths", std::move(auths)}}));
}

void ImageStore::pull(const Value& pod, const std::string& image, const std::string& full_name,
                      const OnImage& done) {
  const std::string hint =
      "no stand-in rule of a Platform matches it and it was not loaded (keelson image load)";
  if (!options_.from_registries || ::access("/usr/bin/skopeo", X_OK) != 0 ||
      ::access("/usr/bin/umoci", X_OK) != 0) {
    ImageOutcome outcome;
    outcome.tried_registry = true;
    outcome.reason = "ErrImagePull";
    outcome.message = "image " + quote(full_name) + " is not in the local store; " + hint;
    return done(std::move(outcome), {});
  }
  const Instant begun = cluster_.now();
  load(
      "docker://" + full_name, full_name,
      [this, alive = alive_, image, full_name, done, hint, begun](Result<std::string> id) {
        if (!*alive) return;
        ImageOutcome outcome;
        outcome.tried_registry = true;
        Image found;
        outcome.ok = id.ok() && find(full_name, found);
        if (outcome.ok) {
          const Duration took =
              Duration::milliseconds((cluster_.now() - begun).count_milliseconds());
          outcome.notices.push_back({false, "Pulled",
                                     "Successfully pulled image " + quote(image) + " in " +
                                         to_text(took) + " (" + to_text(took) +
                                         " including waiting)."});
        } else {
          outcome.reason = "ErrImagePull";
          outcome.message =
              (id.ok() ? std::string("the image is incomplete") : id.error().message) + "; " + hint;
        }
        done(std::move(outcome), std::move(found));
      },
      credentials_of(pod));
}

void ImageStore::load(const std::string& source, const std::string& name,
                      std::function<void(Result<std::string>)> done,
                      const std::string& credentials) {
  const auto full_name = full_image_name(name);
  if (!full_name) return done(Error{Reason::invalid, "invalid image name " + quote(name)});
  auto& waiting = fetching_[*full_name];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  auto fetch = std::make_shared<Fetch>();
  fetch->source = source;
  fetch->name = *full_name;
  fetch->work = directory_of(*full_name) + ".part";
  remove_tree(fetch->work);
  (void)make_directory(fetch->work, 0755);
  const std::string copy = fetch->work + "/oci:image";
  std::vector<std::string> fetch_argv = {"skopeo", "copy", "--quiet"};
  if (!credentials.empty()) {
    (void)write_whole(fetch->work + "/auth.json", credentials, 0600);
    fetch_argv.insert(fetch_argv.end(), {"--authfile", fetch->work + "/auth.json"});
  }
  fetch_argv.insert(fetch_argv.end(), {source, "oci:" + copy});
  fetch->steps = {fetch_argv,
                  {"umoci", "unpack", "--image", copy, fetch->work + "/bundle"},
                  {"skopeo", "inspect", "--config", "oci:" + copy},
                  {"skopeo", "inspect", "--format", "{{.Digest}}", "oci:" + copy}};
  run(fetch, 0);
}

void ImageStore::run(const std::shared_ptr<Fetch>& fetch, std::size_t step) {
  host::SpawnOptions options;
  options.argv = fetch->steps[step];
  options.directory = "/";
  processes_.run(
      options, "", [this, alive = alive_, fetch, step](Result<host::Processes::Output> output) {
        if (!*alive) return;
        Result<std::string> result = std::string();
        if (!output.ok() || output->status.code != 0) {
          result = Error{Reason::internal_error,
                         output.ok() ? complaint(output->err.empty() ? output->out : output->err)
                                     : output.error().message};
        } else if (step + 1 < fetch->steps.size()) {
          if (step + 2 == fetch->steps.size()) fetch->config = output->out;
          return run(fetch, step + 1);
        } else {
          const std::string digest(trim(output->out));
          const auto config = codec::parse_json(fetch->config);
          const std::string id =
              fetch->name.substr(0, fetch->name.find_last_of(":@")) + "@" + digest;
          const Value stored =
              Value::object({{"name", fetch->name},
                             {"id", id},
                             {"config", config.ok() ? (*config)["config"] : Value()}});
          (void)write_whole(fetch->work + "/image.json", codec::to_json(stored));
          remove_tree(fetch->work + "/oci");
          ::unlink((fetch->work + "/auth.json").c_str());
          const std::string home = directory_of(fetch->name);
          remove_tree(home);
          if (::rename(fetch->work.c_str(), home.c_str()) == 0)
            result = id;
          else
            result = Error{Reason::internal_error, "the image could not be put in its place"};
        }
        if (!result.ok()) remove_tree(fetch->work);
        for (const auto& done : std::exchange(fetching_[fetch->name], {})) done(result);
        fetching_.erase(fetch->name);
      });
}

std::vector<StoredImage> ImageStore::list() const {
  std::vector<StoredImage> images;
  for (const std::string& entry : names_in(options_.directory)) {
    const Value stored = read_json(options_.directory + "/" + entry + "/image.json");
    if (!stored.is_object() || entry.ends_with(".part")) continue;
    images.push_back({stored["name"].str(), stored["id"].str(), stored["bytes"].as_int()});
  }
  return images;
}

Result<void> ImageStore::remove(const std::string& name) {
  const std::string full_name = full_image_name(name).value_or(name);
  Image image;
  if (!find(full_name, image))
    return Error{Reason::not_found, "image " + quote(full_name) + " is not in the local store"};
  remove_tree(directory_of(full_name));
  return {};
}

Value ImageStore::node_images() const {
  Value images = Value::array();
  for (const StoredImage& image : list())
    images.push_back(Value::object(
        {{"names", Value::array({image.id, image.name})}, {"sizeBytes", image.bytes}}));
  return images;
}

}  // namespace keelson::node
