#include "app/commands.h"
namespace keelson::app {
int command_test_golden(const GoldenOptions&) { return 1; }
}
