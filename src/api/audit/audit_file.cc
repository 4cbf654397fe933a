// One job at a time takes all lines that wait, so their order is kept.
#include "api/audit/audit_file.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::api {
namespace {

// As to_rfc3339_micro writes it, with "-" for ":".
bool is_stamp(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00-00-00.000000Z";
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
  }
  return true;
}

// The file itself; used by one thread at a time.
class Disk {
 public:
  Disk(std::shared_ptr<host::Files> files, AuditFileOptions options)
      : files_(std::move(files)), options_(std::move(options)), rotate_at_(options_.size_max) {
    const std::size_t slash = options_.path.rfind('/');
    directory_ = slash == std::string::npos ? "." : options_.path.substr(0, slash);
    const std::string file = options_.path.substr(slash == std::string::npos ? 0 : slash + 1);
    const std::size_t dot = file.rfind('.');
    name_ = file.substr(0, dot);
    extension_ = dot == std::string::npos ? "" : file.substr(dot);
  }

  Result<void> open() {
    TRY_VOID(files_->make_directories(directory_));
    TRY(file_, files_->open(options_.path, true));
    return {};
  }

  Result<void> write(const std::string& line, Instant now) {
    if (file_ && file_->size() > 0 && file_->size() + line.size() > rotate_at_) rotate(now);
    if (!file_) TRY_VOID(open());
    return file_->append(line);
  }

 private:
  void rotate(Instant now) {
    // Two of one instant must not have one name.
    rotated_at_ = std::max(now, rotated_at_ + Duration::nanoseconds(1000));
    std::string time = to_rfc3339_micro(rotated_at_);
    std::replace(time.begin(), time.end(), ':', '-');
    const std::string old_name = directory_ + "/" + name_ + "-" + time + extension_;
    if (!files_->rename(options_.path, old_name).ok()) {
      rotate_at_ = file_->size() + options_.size_max;  // not at every line
      return;
    }
    rotate_at_ = options_.size_max;
    file_.reset();
    auto names = files_->list(directory_);
    if (options_.backups_max == 0 || !names.ok()) return;
    std::vector<std::string> old;  // sorted, and so by time
    for (const std::string& one : *names)
      if (one.size() > name_.size() + 1 + extension_.size() && one.starts_with(name_ + "-") &&
          one.ends_with(extension_) &&
          is_stamp(std::string_view(one).substr(name_.size() + 1,
                                                one.size() - name_.size() - 1 - extension_.size())))
        old.push_back(one);
    for (std::size_t i = 0; i + static_cast<std::size_t>(options_.backups_max) < old.size(); ++i)
      (void)files_->remove(directory_ + "/" + old[i]).ok();
  }

  std::shared_ptr<host::Files> files_;
  AuditFileOptions options_;
  std::uint64_t rotate_at_;
  Instant rotated_at_;
  std::string directory_, name_, extension_;
  std::unique_ptr<host::File> file_;
};

class AuditFile : public std::enable_shared_from_this<AuditFile> {
 public:
  AuditFile(host::Loop& loop, std::shared_ptr<host::Files> files, const AuditFileOptions& options)
      : loop_(loop),
        disk_(std::move(files), options),
        path_(options.path),
        waiting_max_(options.waiting_max) {}
  ~AuditFile() {
    Batch rest{.lines = std::move(lines_), .now = last_};
    run(disk_, rest);
    tell(rest);
  }

  Result<void> open() { return disk_.open(); }

  void write(std::string line) {
    if (waiting_ + line.size() > waiting_max_) {
      Batch lost{.lost = 1, .why = "the disk is too slow"};
      return tell(lost);
    }
    waiting_ += line.size();
    lines_.push_back(std::move(line));
    pump();
  }

 private:
  struct Batch {
    std::vector<std::string> lines;
    Instant now;
    std::uint64_t lost = 0, written = 0;
    std::string why;
  };

  static void run(Disk& disk, Batch& batch) {
    for (const std::string& line : batch.lines) {
      if (const auto written = disk.write(line, batch.now); written.ok()) {
        ++batch.written;
      } else {
        ++batch.lost;
        batch.why = written.error().message;
      }
    }
  }

  void pump() {
    last_ = loop_.now();
    if (busy_ || lines_.empty()) return;
    busy_ = true;
    auto batch = std::make_shared<Batch>();
    batch->lines = std::exchange(lines_, {});
    batch->now = last_;
    waiting_ = 0;
    loop_.offload([self = shared_from_this(), batch] { run(self->disk_, *batch); },
                  [self = shared_from_this(), batch] {
                    self->busy_ = false;
                    self->tell(*batch);
                    self->pump();
                  });
  }

  // The first loss, then when it has gone on for long, and its end.
  void tell(const Batch& batch) {
    const bool first = lost_ == 0 && batch.lost > 0;
    lost_ += batch.lost;
    if (first || (batch.lost > 0 && lost_ >= told_ * 10)) {
      std::fprintf(stderr, "audit log %s: %s; records are lost, %llu so far\n", path_.c_str(),
                   batch.why.c_str(), static_cast<unsigned long long>(lost_));
      told_ = lost_;
    }
    if (lost_ > 0 && batch.lost == 0 && batch.written > 0) {
      std::fprintf(stderr, "audit log %s: written again; %llu records were lost\n", path_.c_str(),
                   static_cast<unsigned long long>(lost_));
      lost_ = told_ = 0;
    }
  }

  host::Loop& loop_;
  Disk disk_;
  std::string path_;
  std::size_t waiting_max_, waiting_ = 0;
  std::vector<std::string> lines_;
  Instant last_;
  bool busy_ = false;
  std::uint64_t lost_ = 0, told_ = 0;
};

}  // namespace

Result<std::function<void(std::string)>> open_audit_file(host::Loop& loop,
                                                         std::shared_ptr<host::Files> files,
                                                         AuditFileOptions options) {
  auto file = std::make_shared<AuditFile>(loop, std::move(files), options);
  TRY_VOID(file->open());
  return std::function<void(std::string)>([file](std::string line) { file->write(line); });
}

}  // namespace keelson::api
