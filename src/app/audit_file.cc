#include "app/audit_file.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace keelson::app {
namespace {

class AuditFile {
 public:
  AuditFile(host::Files& files, std::function<Instant()> now, AuditFileOptions options)
      : files_(files), now_(std::move(now)), options_(std::move(options)) {
    const std::size_t slash = options_.path.rfind('/');
    directory_ = slash == std::string::npos ? "." : options_.path.substr(0, slash);
    const std::string file = options_.path.substr(slash == std::string::npos ? 0 : slash + 1);
    const std::size_t dot = file.rfind('.');
    name_ = file.substr(0, dot);
    extension_ = dot == std::string::npos ? "" : file.substr(dot);
  }

  Result<void> open() {
    TRY_VOID(files_.make_directories(directory_));
    TRY(file_, files_.open(options_.path, true));
    return {};
  }

  void write(const std::string& line) {
    if (file_ && file_->size() > 0 && file_->size() + line.size() > options_.size_max) rotate();
    if (!file_ && !open().ok()) return;
    if (auto written = file_->append(line); !written.ok())
      std::fprintf(stderr, "audit log %s: %s\n", options_.path.c_str(),
                   written.error().message.c_str());
  }

 private:
  void rotate() {
    file_.reset();
    std::string time = to_rfc3339_micro(now_());
    std::replace(time.begin(), time.end(), ':', '-');
    (void)files_.rename(options_.path, directory_ + "/" + name_ + "-" + time + extension_).ok();
    auto names = files_.list(directory_);
    if (options_.backups_max == 0 || !names.ok()) return;
    std::vector<std::string> old;  // sorted, and so by time
    for (const std::string& one : *names)
      if (one.starts_with(name_ + "-") && one.ends_with(extension_)) old.push_back(one);
    for (std::size_t i = 0; i + static_cast<std::size_t>(options_.backups_max) < old.size(); ++i)
      (void)files_.remove(directory_ + "/" + old[i]).ok();
  }

  host::Files& files_;
  std::function<Instant()> now_;
  AuditFileOptions options_;
  std::string directory_, name_, extension_;
  std::unique_ptr<host::File> file_;
};

}  // namespace

Result<std::function<void(std::string)>> open_audit_file(host::Files& files,
                                                         std::function<Instant()> now,
                                                         AuditFileOptions options) {
  auto file = std::make_shared<AuditFile>(files, std::move(now), std::move(options));
  TRY_VOID(file->open());
  return std::function<void(std::string)>([file](std::string line) { file->write(line); });
}

}  // namespace keelson::app
