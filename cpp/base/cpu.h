// What the process may use of the machine.
#pragma once

namespace streamvsr {

// Processors this process may run on (its affinity mask); >= 1.
int usable_cores();

}  // namespace streamvsr
