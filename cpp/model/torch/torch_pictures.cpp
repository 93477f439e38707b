// Note [colours on the device]
// Luma and chroma become red, green and blue, and come back, by the sums that the caller gives
// (color/sums.h): chroma brought to luma's size or luma's chroma's, line by line, then three
// products and what is added. Everything is done sample by sample in fp32, each product and each
// sum rounded by itself (no addcmul, no alpha: they may or may not be fused), in an order that no
// size changes. So pieces of a picture come out as the whole does. A piece's chroma is made of the
// whole picture's; the result's is made of the piece's, whose margins therefore reach further than
// the network does (CutRules).
#include "model/torch/torch_pictures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

namespace streamvsr {

namespace {

using Picture = streamvsr_torch_picture;
using Line = streamvsr_torch_line;
using Colors = streamvsr_torch_colors;

constexpr int kRows = 0;
constexpr int kColumns = 1;

// Samples [begin, end) of a line.
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

at::ScalarType code_type(const int depth) { return depth > 8 ? at::kUInt16 : at::kByte; }

// A part of a plane of the caller's as a tensor.
at::Tensor view(const std::uint8_t* data, const std::int64_t stride, const Range rows,
                const Range columns, const int depth) {
  const at::ScalarType type = code_type(depth);
  const auto bytes = static_cast<std::int64_t>(c10::elementSize(type));
  return at::from_blob(
      const_cast<std::uint8_t*>(data) + rows.begin * stride + columns.begin * bytes,
      {rows.size(), columns.size()}, {stride / bytes, 1}, at::TensorOptions(type));
}

// Which samples of the other line `wanted` is made of.
Range needed(const Line& line, const Range wanted) {
  if (line.taps == 0) return wanted;
  Range range{line.index[wanted.begin], line.index[wanted.begin] + 1};
  for (int k = 0; k < line.taps; ++k) {
    const std::int32_t* const index = line.index + std::int64_t{k} * line.size;
    const auto [least, most] = std::minmax_element(index + wanted.begin, index + wanted.end);
    range.begin = std::min<std::int64_t>(range.begin, *least);
    range.end = std::max<std::int64_t>(range.end, std::int64_t{*most} + 1);
  }
  return range;
}

// Samples `wanted` of a line for each line of `plane`, whose samples are those of `there`.
at::Tensor resample(const at::Tensor& plane, const int dimension, const Line& line,
                    const Range there, const Range wanted) {
  if (line.taps == 0)
    return plane.slice(dimension, wanted.begin - there.begin, wanted.end - there.begin);
  const auto table = [&](const auto* const data, const at::ScalarType type) {
    return at::from_blob(const_cast<void*>(static_cast<const void*>(data)), {line.taps, line.size},
                         at::TensorOptions(type))
        .slice(1, wanted.begin, wanted.end)
        .to(plane.device());
  };
  const at::Tensor index = table(line.index, at::kInt).sub(there.begin).contiguous();
  const at::Tensor weight = table(line.weight, at::kFloat);
  at::Tensor total;
  for (int k = 0; k < line.taps; ++k) {
    at::Tensor part = plane.index_select(dimension, index.select(0, k));
    const at::Tensor by = weight.select(0, k);
    part.mul_(dimension == kRows ? by.unsqueeze(1) : by.unsqueeze(0));
    if (k == 0)
      total = std::move(part);
    else
      total.add_(part);
  }
  return total;
}

// The sum of three planes (or fewer) by one row of a matrix, and what is added.
at::Tensor mixed(const float (&row)[4], const std::span<const at::Tensor> planes) {
  at::Tensor total;
  for (std::size_t p = 0; p < planes.size(); ++p) {
    if (row[p] == 0.0F) continue;
    at::Tensor part = planes[p].mul(static_cast<double>(row[p]));
    if (total.defined())
      total.add_(part);
    else
      total = std::move(part);
  }
  return total.add_(static_cast<double>(row[3]));
}

// Luma and chroma of a piece into `into`, (3, height, width).
void read_colors(const Picture& picture, const Colors& colors, const at::Tensor& into) {
  const Range rows{picture.y, picture.y + picture.height};
  const Range columns{picture.x, picture.x + picture.width};
  const auto part = [&](const int p, const Range down, const Range across) {
    return view(picture.source[p], picture.source_stride[p], down, across, colors.depth)
        .to(into.device())
        .to(at::kFloat);
  };
  std::array<at::Tensor, 3> planes;
  planes[0] = part(0, rows, columns);
  const Range chroma_rows = needed(colors.down, rows);
  const Range chroma_columns = needed(colors.across, columns);
  for (int p = 1; p < colors.planes; ++p) {
    const at::Tensor chroma =
        resample(part(p, chroma_rows, chroma_columns), kRows, colors.down, chroma_rows, rows);
    planes[static_cast<std::size_t>(p)] =
        resample(chroma, kColumns, colors.across, chroma_columns, columns);
  }
  const std::span<const at::Tensor> known(planes.data(), static_cast<std::size_t>(colors.planes));
  for (int c = 0; c < 3; ++c) into[c].copy_(mixed(colors.matrix[c], known).clamp_(0, 1));
}

at::Tensor codes_of(at::Tensor values, const int depth) {
  return values.round_().clamp_(0, static_cast<double>((1 << depth) - 1));
}

// What lies inside a piece's margins, in result samples of the whole picture.
struct Inside {
  Inside(const Picture& picture, const std::int64_t scale)
      : rows{(picture.y + picture.top) * scale,
             (picture.y + picture.height - picture.bottom) * scale},
        columns{(picture.x + picture.left) * scale,
                (picture.x + picture.width - picture.right) * scale},
        piece_rows{picture.y * scale, (picture.y + picture.height) * scale},
        piece_columns{picture.x * scale, (picture.x + picture.width) * scale} {}
  Range rows, columns;
  Range piece_rows, piece_columns;  // margins included

  at::Tensor of(const at::Tensor& piece, const Range down, const Range across) const {
    return piece.slice(-2, down.begin - piece_rows.begin, down.end - piece_rows.begin)
        .slice(-1, across.begin - piece_columns.begin, across.end - piece_columns.begin);
  }
};

Range cells(const Range samples, const std::int64_t cell) {
  return {samples.begin / cell, (samples.end + cell - 1) / cell};
}

// A piece of (3, height, width), values 0..1, into the result's luma and chroma.
void write_colors(const Picture& picture, const Colors& colors, const at::Tensor& rgb,
                  const Inside& inside) {
  const auto write = [&](const int p, const Range rows, const Range columns, at::Tensor values) {
    view(picture.result[p], picture.result_stride[p], rows, columns, colors.depth)
        .copy_(codes_of(std::move(values), colors.depth));
  };
  const auto made_of = [&](const Range rows, const Range columns, const int p) {
    const at::Tensor part = inside.of(rgb, rows, columns);
    const std::array<at::Tensor, 3> planes = {part[0], part[1], part[2]};
    return mixed(colors.matrix[p], planes);
  };
  write(0, inside.rows, inside.columns, made_of(inside.rows, inside.columns, 0));
  const Range chroma_rows = cells(inside.rows, colors.cell_height);
  const Range chroma_columns = cells(inside.columns, colors.cell_width);
  const Range rows = needed(colors.down, chroma_rows);
  const Range columns = needed(colors.across, chroma_columns);
  for (int p = 1; p < colors.planes; ++p) {
    const at::Tensor chroma =
        resample(made_of(rows, columns, p), kRows, colors.down, rows, chroma_rows);
    write(p, chroma_rows, chroma_columns,
          resample(chroma, kColumns, colors.across, columns, chroma_columns));
  }
}

}  // namespace

at::Tensor read_pictures(const TorchNetwork& model, const std::span<const Picture> pictures) {
  const Picture& first = pictures.front();
  at::Tensor input =
      at::empty({static_cast<std::int64_t>(pictures.size()), model.planes + model.conditions,
                 first.height, first.width},
                at::TensorOptions(at::kFloat).device(model.device), at::MemoryFormat::ChannelsLast);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    const at::Tensor into = input[static_cast<std::int64_t>(i)];
    if (picture.source_colors != nullptr) {
      read_colors(picture, *picture.source_colors, into.slice(0, 0, 3));
    } else {
      for (int p = 0; p < model.planes; ++p)
        into[p].copy_(view(picture.source[p], picture.source_stride[p],
                           {picture.y, picture.y + picture.height},
                           {picture.x, picture.x + picture.width}, picture.depth)
                          .to(model.device));
      into.slice(0, 0, model.planes).div_(static_cast<double>((1 << picture.depth) - 1));
    }
    for (int c = 0; c < model.conditions; ++c)
      into[model.planes + c].fill_(static_cast<double>(picture.conditions[c]));
  }
  return input;
}

void write_pictures(const TorchNetwork& model, at::Tensor output,
                    const std::span<const Picture> pictures) {
  at::Tensor values = output.to(at::kFloat).clamp(0, 1);
  output.reset();
  values.nan_to_num_(0);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    const Inside inside(picture, model.scale);
    const at::Tensor piece = values[static_cast<std::int64_t>(i)];
    if (picture.result_colors != nullptr) {
      write_colors(picture, *picture.result_colors, piece, inside);
      continue;
    }
    piece.mul_(static_cast<double>((1 << picture.depth) - 1)).round_();
    for (int p = 0; p < model.planes; ++p)
      view(picture.result[p], picture.result_stride[p], inside.rows, inside.columns, picture.depth)
          .copy_(inside.of(piece[p], inside.rows, inside.columns));
  }
}

}  // namespace streamvsr
