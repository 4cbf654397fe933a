// The program's entry: hidden modes of the engine's own helper processes first, then the command
// line.
#include "app/cli.h"

int main(int argc, char** argv) {
  return keelson::app::run_command_line(argc, argv);
}
