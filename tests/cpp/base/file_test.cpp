#include "base/file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/error.h"
#include "temporary_folder.h"

using namespace streamvsr;
using test::TemporaryFolder;

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a file is replaced whatever has the temporary file's name") {
  const TemporaryFolder folder;
  const std::string path = folder.write("state", "old");
  const std::string other = folder.write("other", "another program's");
  const std::string temporary = path + ".tmp";

  SUBCASE("nothing") {}
  SUBCASE("a file that a killed run left") { folder.write("state.tmp", "longer than the new one"); }
  SUBCASE("a symbolic link to another file") { std::filesystem::create_symlink(other, temporary); }
  SUBCASE("a symbolic link to nothing") {
    std::filesystem::create_symlink(folder / "absent", temporary);
  }
  SUBCASE("a second name of another file") { std::filesystem::create_hard_link(other, temporary); }

  replace_file(path, "new");
  CHECK(content_of(path) == "new");
  CHECK(content_of(other) == "another program's");
  CHECK_FALSE(std::filesystem::exists(folder / "absent"));
  CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(temporary)));
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(path)));
}

TEST_CASE("a directory with the temporary file's name is an error and stays") {
  const TemporaryFolder folder;
  const std::string path = folder.write("state", "old");
  const std::string inside = folder / "state.tmp/kept";
  std::filesystem::create_directory(path + ".tmp");
  std::ofstream(inside) << "kept";
  try {
    replace_file(path, "new");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kIo);
    CHECK(error.path() == path + ".tmp");
  }
  CHECK(content_of(path) == "old");
  CHECK(content_of(inside) == "kept");
}
