// What the machine has left, read from recorded trees and from the kernel.
#include "base/machine.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "temporary_folder.h"

namespace streamvsr {
namespace {

constexpr std::size_t kGiB = std::size_t{1} << 30;

// A file tree as the kernel shows it.
struct Tree {
  test::TemporaryFolder folder;
  std::string root = folder / "root";

  Tree() {
    put("/proc/meminfo",
        "MemTotal:       25165824 kB\nMemFree:         1000000 kB\nMemAvailable:   20971520 kB\n");
  }
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  std::size_t available() const { return machine_facts(root).available; }
};

TEST_CASE("without control groups the machine's available memory counts") {
  Tree tree;
  CHECK(tree.available() == 20 * kGiB);
  tree.put("/proc/meminfo", "MemTotal: 1 kB\n");
  CHECK(tree.available() == MachineFacts::kUnknown);
}

TEST_CASE("a control group of the second version, and those above it") {
  Tree tree;
  tree.put("/proc/self/cgroup", "0::/user.slice/job\n");
  const std::string group = "/sys/fs/cgroup/user.slice/job";
  tree.put(group + "/memory.max", "max\n");
  tree.put(group + "/memory.current", "1073741824\n");
  CHECK(tree.available() == 20 * kGiB);
  tree.put(group + "/memory.max", "8589934592\n");
  CHECK(tree.available() == 7 * kGiB);
  tree.put(group + "/memory.stat", "anon 1\nfile 2\ninactive_file 536870912\n");
  CHECK(tree.available() == 7 * kGiB + kGiB / 2);
  tree.put("/sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
  tree.put("/sys/fs/cgroup/user.slice/memory.current", "2147483648\n");
  CHECK(tree.available() == 2 * kGiB);
  // Beyond its limit a group has nothing.
  tree.put("/sys/fs/cgroup/user.slice/memory.current", "5368709120\n");
  CHECK(tree.available() == 0);
}

TEST_CASE("in a container the root of what is mounted counts") {
  Tree tree;
  tree.put("/proc/self/cgroup", "0::/../somewhere/else\n");
  tree.put("/sys/fs/cgroup/memory.max", "3221225472\n");
  tree.put("/sys/fs/cgroup/memory.current", "1073741824\n");
  CHECK(tree.available() == 2 * kGiB);
}

TEST_CASE("a control group of the first version") {
  Tree tree;
  tree.put("/proc/self/cgroup", "9:name=systemd:/\n4:cpuset,memory:/box\n0::/\n");
  const std::string group = "/sys/fs/cgroup/memory/box";
  tree.put(group + "/memory.limit_in_bytes", "9223372036854771712\n");
  tree.put(group + "/memory.usage_in_bytes", "1073741824\n");
  CHECK(tree.available() == 20 * kGiB);
  tree.put(group + "/memory.limit_in_bytes", "2147483648\n");
  tree.put(group + "/memory.stat", "inactive_file 7\ntotal_inactive_file 268435456\n");
  CHECK(tree.available() == kGiB + kGiB / 4);
}

TEST_CASE("files that say nonsense are no limit") {
  Tree tree;
  tree.put("/proc/self/cgroup", "garbage\n1:memory\n::\n0::/a\n");
  tree.put("/sys/fs/cgroup/a/memory.max", "lots\n");
  tree.put("/sys/fs/cgroup/a/memory.current", "-5\n");
  CHECK(tree.available() == 20 * kGiB);
}

TEST_CASE("the kernel's own figures lie between nothing and all") {
  const std::size_t available = machine_facts().available;
  CHECK(available > 0);
  CHECK(available < (std::size_t{1} << 50));
}

}  // namespace
}  // namespace streamvsr
