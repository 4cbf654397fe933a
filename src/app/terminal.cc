#include "app/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace keelson::app {
namespace {

// Code points outside escape sequences; good enough for what we print (no wide characters).
std::size_t display_width(const std::string& text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++width;
    }
  }
  return width;
}

std::string colour(const char* code, const std::string& text) {
  return use_colour() ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

}  // namespace

std::string format_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - display_width(row[i]) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

LiveLines::LiveLines() : terminal_(isatty(STDERR_FILENO) == 1) {
  winsize size{};
  if (terminal_ && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
    width_ = size.ws_col;
}

void LiveLines::show(const std::string& stamp, std::vector<std::string> lines) {
  if (lines.empty()) return;
  if (!terminal_) {
    if (lines == shown_) return;
    shown_ = lines;
    lines[0] = stamp + lines[0];
    for (const std::string& line : lines) std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  lines[0] = stamp + lines[0];
  std::string out;
  if (!shown_.empty()) out += "\x1b[" + std::to_string(shown_.size()) + "F";
  for (const std::string& line : lines) {
    // A line that wraps would spoil the count of lines to go up.
    out += (display_width(line) < width_ ? line : line.substr(0, width_ - 1)) + "\x1b[0m\x1b[K\n";
  }
  out += "\x1b[J";
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
  shown_ = std::move(lines);
}

void LiveLines::finish() {
  shown_.clear();
}

bool use_colour() {
  static const bool use = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return use;
}
std::string green(const std::string& text) {
  return colour("32", text);
}
std::string red(const std::string& text) {
  return colour("31", text);
}
std::string yellow(const std::string& text) {
  return colour("33", text);
}
std::string faint(const std::string& text) {
  return colour("2", text);
}

}  // namespace keelson::app
