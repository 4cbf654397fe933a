// What people see: tables with aligned columns, and a block of lines that is redrawn in place while
// something goes on.
#pragma once

#include <string>
#include <vector>

namespace keelson::app {

using Row = std::vector<std::string>;

// Aligned by display width, two blanks between columns, the first row as heading.
std::string format_table(const std::vector<Row>& rows);

// Redraws its lines in place on a terminal; elsewhere prints a line only when it differs from what
// was printed before.
class LiveLines {
 public:
  LiveLines();
  ~LiveLines() { finish(); }
  // stamp: put before the first line; its change alone is no news.
  void show(const std::string& stamp, std::vector<std::string> lines);
  void finish();  // leaves the cursor below what was shown

 private:
  bool terminal_;
  std::size_t width_ = 100;
  std::vector<std::string> shown_;
};

// Whether stdout may be coloured: it is a terminal and NO_COLOR is not set.
bool use_colour();
std::string green(const std::string& text);
std::string red(const std::string& text);
std::string yellow(const std::string& text);
std::string faint(const std::string& text);

}  // namespace keelson::app
