#include "clip.h"
#include "matroska_film.h"

using namespace streamvsr;
using namespace streamvsr::test;

namespace {

// The parts of the header that a finish changes: [begin, end) each.
std::vector<std::pair<std::size_t, std::size_t>> changed_parts(const std::string& path,
                                                               const Film& film) {
  const File file(path, O_RDONLY);
  ebml::Reader reader(file);
  const std::int64_t segment = reader.element(0, file.size()).end + 12;
  std::vector<std::pair<std::size_t, std::size_t>> parts = {{segment - 8, segment}};
  std::int64_t at = reader.element(segment, file.size()).end;
  at = reader.element(at, file.size()).end;  // the Void behind the SeekHead
  parts.emplace_back(segment, at);
  while (at < film.header_size()) {
    const ebml::Element e = reader.element(at, file.size());
    parts.emplace_back(e.at, e.end);
    at = e.end;
  }
  std::erase_if(parts, [&](const auto& part) {
    return std::equal(film.finished().begin() + static_cast<std::ptrdiff_t>(part.first),
                      film.finished().begin() + static_cast<std::ptrdiff_t>(part.second),
                      film.unfinished().begin() + static_cast<std::ptrdiff_t>(part.first));
  });
  return parts;
}

void copy_part(const Bytes& from, Bytes& to, const std::size_t begin, const std::size_t end) {
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(end),
            to.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace

TEST_CASE("a finish that was killed is repeated to the same bytes") {
  const TemporaryFolder folder;
  Film film(folder / "f.mkv");
  complete(film);
  film.end();
  const auto parts = changed_parts(folder / "f.mkv", film);
  REQUIRE(parts.size() == 5);  // the segment's size, SeekHead, Info, Tracks, Tags

  // Killed between two patches, whichever came first.
  for (unsigned chosen = 0; chosen < 1U << parts.size(); ++chosen) {
    CAPTURE(chosen);
    Bytes bytes = chosen % 2 == 0 ? film.unfinished() : film.finished();
    for (std::size_t i = 0; i < parts.size(); ++i)
      copy_part((chosen >> i & 1) != 0 ? film.finished() : film.unfinished(), bytes, parts[i].first,
                parts[i].second);
    CHECK(film.finish(bytes) == film.finished());
  }
  // Within one, at any byte. The SeekHead alone comes in one piece.
  for (const std::size_t i : {0, 2, 3, 4})
    for (std::size_t at = parts[i].first; at < parts[i].second; ++at) {
      if (film.finished()[at] == film.unfinished()[at]) continue;
      CAPTURE(at);
      Bytes bytes = film.unfinished();
      copy_part(film.finished(), bytes, parts[i].first, at);
      REQUIRE(film.finish(bytes) == film.finished());
      bytes = film.finished();
      copy_part(film.unfinished(), bytes, parts[i].first, at);
      REQUIRE(film.finish(bytes) == film.finished());
    }
  // After one with other times.
  std::vector<std::int64_t> others = film.ends();
  for (std::int64_t& end : others) end = end * 3 + 100'000'000;
  const Bytes other = film.finish(film.unfinished(), film.data_end(), others);
  CHECK(other != film.finished());
  CHECK(film.finish(other) == film.finished());
}

TEST_CASE("where the clusters end is found in files of any kind of ending") {
  const TemporaryFolder folder;
  Film film(folder / "f.mkv");
  complete(film);
  film.end();
  std::vector<std::int64_t> starts;
  {
    const File file(folder / "f.mkv", O_RDONLY);
    ebml::Reader reader(file);
    for (std::int64_t at = film.header_size(); at < film.data_end();) {
      starts.push_back(at);
      at = reader.element(at, film.data_end()).end;
    }
  }
  REQUIRE(starts.size() > 10);
  File file(folder / "f.mkv", O_RDWR);
  for (const std::int64_t start : starts) CHECK(clusters_end(file, start) == film.data_end());
  CHECK(clusters_end(file, film.data_end()) == film.data_end());
  CHECK(clusters_end(file, file.size()) == file.size());
  file.truncate(film.data_end() - 1);
  CHECK(clusters_end(file, film.header_size()) == starts.back());
  file.truncate(starts.back() + 3);
  CHECK(clusters_end(file, film.header_size()) == starts.back());
  // A film cut at any cluster's end is finished as well.
  const std::int64_t cut = starts[starts.size() / 2];
  file.truncate(cut);
  finish_matroska(file, cut, film.ends(), StopFlag());
  CHECK(clusters_end(file, film.header_size()) == cut);
  CHECK(file.size() > cut);
}

TEST_CASE("what does not fit is named, and nothing is written") {
  const TemporaryFolder folder;
  Film film(folder / "f.mkv");
  complete(film);
  film.end();
  const auto refused = [&](const Bytes& bytes, const std::int64_t data_end,
                           const std::vector<std::int64_t>& ends) {
    try {
      film.finish(bytes, data_end, ends);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInternal);
      CHECK(error.path() == folder / "f.mkv.copy");
      CHECK(content(error.path()) == bytes);
      return true;
    }
    return false;
  };
  const auto changed = [&](const std::int64_t at, const std::uint8_t byte) {
    Bytes bytes = film.unfinished();
    bytes.at(static_cast<std::size_t>(at)) = byte;
    return refused(bytes, film.data_end(), film.ends());
  };
  const Bytes& good = film.unfinished();
  const std::int64_t header = film.header_size();
  CHECK_FALSE(changed(100, 0));  // within the SeekHead's room
  CHECK(changed(0, 0));
  CHECK(changed(40, 0x11));          // the segment
  CHECK(changed(52, 0xEB));          // the SeekHead's room
  CHECK(changed(header, 0x2F));      // the first cluster's id
  CHECK(changed(header + 4, 0x08));  // its size
  CHECK(refused(good, film.data_end() - 1, film.ends()));
  CHECK(refused(good, film.data_end() + 1, film.ends()));
  CHECK(refused(good, 30, film.ends()));
  CHECK(refused({good.begin(), good.end() - 1}, film.data_end(), film.ends()));
  CHECK(refused(good, film.data_end(), {1, 2}));
  CHECK(refused({}, 0, film.ends()));
  Bytes unknown = good;  // a cluster of unknown size
  std::fill_n(unknown.begin() + header + 4, 8, static_cast<std::uint8_t>(0xFF));
  CHECK(refused(unknown, film.data_end(), film.ends()));

  File file(folder / "f.mkv", O_RDWR);
  StopFlag stop;
  stop.request();
  CHECK_THROWS_AS(finish_matroska(file, film.data_end(), film.ends(), stop), Error);
  CHECK(content(folder / "f.mkv") == film.finished());
}

TEST_CASE("noise in a film is finished or refused, and no more") {
  const TemporaryFolder folder;
  Film film(folder / "f.mkv");
  const int video = film.video();
  const std::vector<int> sounds = {film.sound()};
  film.begin();
  fill(film, video, sounds, -1, 0, 30);
  film.end();
  std::minstd_rand random;
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    Bytes bytes = round % 2 == 0 ? film.unfinished() : film.finished();
    // Heads more often than what only noise would lie in.
    const std::size_t reach = round % 3 == 0 ? bytes.size() : 900;
    for (int i = 0; i < 3; ++i) bytes[random() % reach] = static_cast<std::uint8_t>(random());
    try {
      film.finish(bytes);
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::kInternal);
      ++refused;
    }
  }
  CHECK(refused > 50);
  CHECK(refused < 300);
}
