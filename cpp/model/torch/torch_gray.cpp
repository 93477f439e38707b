#include "model/torch/torch_gray.h"

namespace streamvsr {

at::Tensor Places::index(const Gray& gray, const std::int64_t inset) const {
  return y.add(gray.border - inset).mul_(gray.stride()).add_(x).add_(gray.border - inset);
}

at::Tensor count_to(const std::int64_t end, const at::Tensor& like) {
  return at::arange(end, like.options().dtype(at::kInt));
}

at::Tensor squares(const Gray& gray, const at::Tensor& corners, const std::int64_t side,
                   const at::ScalarType type) {
  const at::Tensor along = count_to(side, corners);
  const at::Tensor index = along.mul(gray.stride()).view({side, 1, 1}).add(along.view({side, 1}));
  return gray.samples.index_select(0, index.add(corners).view(-1))
      .to(type)
      .view({side, side, corners.size(0)});
}

at::Tensor inner_square(const at::Tensor& squares, const std::int64_t row,
                        const std::int64_t column, const std::int64_t side) {
  return squares.slice(0, row, row + side).slice(1, column, column + side);
}

}  // namespace streamvsr
