#include "media/editions.h"

#include <fcntl.h>

#include <string_view>

#include "media/walker.h"

namespace streamvsr {

namespace {

using ebml::Element;

enum Id : std::uint32_t {
  kSegment = 0x18538067,
  kChapters = 0x1043A770,
  kEdition = 0x45B9,
  kOrdered = 0x45DD,
  kChapter = 0xB6,
  kChapterSegment = 0x6E67,
};

struct Found {
  bool ordered = false;
  unsigned chapters = 0;
  unsigned elsewhere = 0;  // chapters that play another file
};

constexpr int kMostNested = 16;  // chapters in chapters

void count(Walker& file, const Element& parent, const int depth, Found& found) {
  if (depth > kMostNested) return;
  file.each(parent, 0, [&](const Element& element) {
    if (element.id == kChapterSegment) ++found.elsewhere;
    if (element.id != kChapter) return false;
    ++found.chapters;
    count(file, element, depth + 1, found);
    return false;
  });
}

}  // namespace

std::vector<std::string> lost_chapters(const Input& input) {
  const AVFormatContext& format = input.format();
  const unsigned known = format.nb_chapters;
  if (known == 0 || !std::string_view(format.iformat->name).starts_with("matroska")) return {};
  const File source(input.path(), O_RDONLY);
  Walker file(source, element_head);
  Found found;
  file.each(file.first(file.first(file.whole(), kSegment), kChapters), 0,
            [&](const Element& edition) {
              if (edition.id != kEdition) return false;
              if (unsigned_of(file, file.first(edition, kOrdered)) != 0) found.ordered = true;
              count(file, edition, 0, found);
              return false;
            });
  std::vector<std::string> lost;
  if (found.ordered)
    lost.emplace_back(
        "the source's chapters are ordered: players show its parts in their order. The film is "
        "enhanced as it lies in the file, and the order is lost");
  if (found.elsewhere > 0)
    lost.push_back(std::to_string(found.elsewhere) +
                   " of the source's chapters play other files: those parts are not enhanced");
  if (found.chapters > known)
    lost.push_back(std::to_string(found.chapters - known) + " of the source's " +
                   std::to_string(found.chapters) +
                   " chapters (hidden, nested, out of order or of another edition) are left out");
  return lost;
}

}  // namespace streamvsr
