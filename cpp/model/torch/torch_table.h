/* TorchScript archives behind a C boundary: libtorch sits in a shared object of its own, so that
 * nothing else of the program is built against it. Text is UTF-8 and ends with a zero byte. */
#ifndef STREAMVSR_MODEL_TORCH_TABLE_H
#define STREAMVSR_MODEL_TORCH_TABLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever anything below changes in any way. */
#define STREAMVSR_TORCH_VERSION 7u
#define STREAMVSR_TORCH_SYMBOL "streamvsr_torch_table"

/* What a call returns. */
enum {
  STREAMVSR_TORCH_OK = 0,
  STREAMVSR_TORCH_FAILED = 1,    /* the archive cannot be used, or threw */
  STREAMVSR_TORCH_MEMORY = 2,    /* the device has too little memory */
  STREAMVSR_TORCH_NO_DEVICE = 3, /* the device is not there */
};

typedef struct streamvsr_torch_model streamvsr_torch_model;

/* A network that is a function of the caller's, on tensors as DLPack tells them (DLManagedTensor):
 * pictures (n, planes, height, width) in, the same out. Takes the input over, and gives the output
 * away. Anything but 0 is a failure, whose line of text it writes to `why`. */
typedef int (*streamvsr_torch_call)(void* user, void* input, void** output, char* why,
                                    uint64_t why_bytes);

/* A layer list as docs/network-format.md has it, checked in full. */
enum {
  STREAMVSR_TORCH_CONV = 0, /* weight (out, in, kernel, kernel), bias (out), zero padding */
  STREAMVSR_TORCH_RELU = 1,
  STREAMVSR_TORCH_LEAKY_RELU = 2, /* slope */
  STREAMVSR_TORCH_PRELU = 3,      /* weight (out) */
  STREAMVSR_TORCH_SKIP = 4,       /* from: index of a layer; -1 is the input stack */
  STREAMVSR_TORCH_SHUFFLE = 5,    /* factor */
};
enum { STREAMVSR_TORCH_FRAME = 0, STREAMVSR_TORCH_CONDITION = 1 };

typedef struct streamvsr_torch_layer {
  int32_t op;
  int32_t in; /* channels */
  int32_t out;
  int32_t kernel;
  const float* weight;
  const float* bias;
  float slope;
  int32_t from;
  int32_t factor;
} streamvsr_torch_layer;

typedef struct streamvsr_torch_layers {
  const streamvsr_torch_layer* layers;
  int32_t count;
  const int32_t* inputs; /* of the input stack, in channel order */
  int32_t input_count;
  int32_t planes;
  int32_t scale;
  int32_t residual_nearest; /* 1 or 0 */
} streamvsr_torch_layers;

/* The network: a function, else a layer list, else an archive in memory, else one in a file. */
typedef struct streamvsr_torch_request {
  streamvsr_torch_call call;            /* or null */
  void* user;                           /* for call; lives as long as the model */
  const streamvsr_torch_layers* layers; /* or null; copied */
  const char* archive;                  /* or null */
  uint64_t archive_bytes;
  const char* path;
  const char* device;    /* "auto" (an accelerator where there is one, else the CPU) or torch's name
                          */
  const char* precision; /* "auto" (fp32 on the CPU, else fp16), "fp32", "bf16" or "fp16" */
  int32_t threads;       /* of torch's operators on the CPU, >= 1 */
  uint64_t limit_bytes;  /* of all that is held on the device, weights included; above 0 */
} streamvsr_torch_request;

typedef struct streamvsr_torch_info {
  int32_t planes;       /* in and out: 1 (luma) or 3 (red, green, blue) */
  int32_t scale;        /* factor in both directions */
  int32_t conditions;   /* values beside a picture */
  int32_t widest;       /* most channels that a convolution gives */
  int64_t weights;      /* of an archive's parameters; 0 for functions and layer lists */
  int32_t sample_bytes; /* of one activation */
  int32_t on_cpu;       /* 1 or 0 */
  /* Pictures of more samples than this, all planes together, are rounded alike whatever their size
   * and number; 0 where that is not so. */
  int64_t alike_above;
  char device[24]; /* torch's name */
  char description[160];
} streamvsr_torch_info;

/* What is held on the device, in bytes: docs/device-budget.md. */
typedef struct streamvsr_torch_memory {
  uint64_t limit;
  uint64_t reserve; /* for the device's context and libraries; counted as held */
  uint64_t held;
  uint64_t peak;
} streamvsr_torch_memory;

/* How a picture may be cut so that its pieces come out as the whole does. */
typedef struct streamvsr_torch_tiling {
  int32_t possible; /* 0: it may not, last_error() says why */
  int32_t halo;     /* source samples around a piece that its result depends on */
  int32_t align;    /* pieces begin at multiples of it */
} streamvsr_torch_tiling;

/* See LineSums and LumaChroma in color/luma_chroma.h. */
typedef struct streamvsr_torch_line {
  int32_t size;
  int32_t taps;
  const int32_t* index;
  const float* weight;
} streamvsr_torch_line;

typedef struct streamvsr_torch_colors {
  int32_t depth;
  int32_t planes;
  int32_t cell_width;
  int32_t cell_height;
  float matrix[3][4];
  streamvsr_torch_line across;
  streamvsr_torch_line down;
} streamvsr_torch_colors;

/* One picture, or a piece of one; samples are uint8 for depth 8 and uint16 above, native endian. */
typedef struct streamvsr_torch_picture {
  int32_t width; /* of the source's piece */
  int32_t height;
  int32_t x; /* where it begins in the picture */
  int32_t y;
  int32_t depth;            /* of planes that are the network's own, 8..16 */
  const uint8_t* source[3]; /* the whole picture's, as many as the network has planes */
  int64_t source_stride[3]; /* bytes, a multiple of the sample's */
  const float* conditions;  /* as many as the network takes */
  uint8_t* result[3];       /* the whole picture's, of which what the margins leave is filled */
  int64_t result_stride[3];
  const streamvsr_torch_colors* source_colors; /* or null: the planes are the network's own */
  const streamvsr_torch_colors* result_colors;
  int32_t left; /* margins: source samples whose result is not wanted */
  int32_t top;
  int32_t right;
  int32_t bottom;
} streamvsr_torch_picture;

/* A level of a picture's brightness in 8 bits, with a border around it that repeats its edge. */
typedef struct streamvsr_torch_gray {
  const uint8_t* samples; /* of the border's corner on */
  int32_t width;          /* without the border */
  int32_t height;
  int32_t border; /* samples on each side; a row has width + 2 * border */
} streamvsr_torch_gray;

/* A picture in sizes, the largest first. Two pictures of the same number are the same. */
typedef struct streamvsr_torch_pyramid {
  uint64_t number;
  const streamvsr_torch_gray* levels;
  int32_t count;
} streamvsr_torch_pyramid;

/* See temporal/flow_constants.h. */
typedef struct streamvsr_torch_flow_rules {
  int32_t steps;
  float still;
  float farthest;
  float good_fit;
  float flat;
  float margin;
  float copied;
  float never;
  float gain;
  float first_place;
  int32_t last_place;
  int32_t reach;     /* of agreement, cells */
  const float* bell; /* reach + 1 */
  float alike;
  float staying;
} streamvsr_torch_flow_rules;

/* Sides of patches and of the cells they lie around, samples. */
enum { STREAMVSR_TORCH_PATCH = 8, STREAMVSR_TORCH_CELL = 4 };

/* Motion between two pictures of one size, at least two patches wide and high, for the cells of a
 * level: where they were before, in its samples. */
typedef struct streamvsr_torch_flow {
  streamvsr_torch_pyramid now;
  streamvsr_torch_pyramid before;
  int32_t first; /* level that the search begins with, >= last */
  int32_t last;
  streamvsr_torch_flow_rules rules;
  float* x; /* a value a cell of the last level, row by row */
  float* y;
} streamvsr_torch_flow;

/* No exception leaves a function. A model is used by one thread, always the same one, but where a
 * function says otherwise. After a call that did not return STREAMVSR_TORCH_OK last_error() of the
 * same thread says why, in one line. */
typedef struct streamvsr_torch {
  uint32_t version; /* STREAMVSR_TORCH_VERSION */
  uint32_t bytes;   /* sizeof(struct streamvsr_torch) */
  /* Reads an archive and tries it on small pictures. On success *model is the caller's. */
  int (*load)(const streamvsr_torch_request* request, streamvsr_torch_model** model,
              streamvsr_torch_info* info);
  /* Runs pictures of one size and depth as one batch and fills their results:
   * round(clamp(y, 0, 1) * (2^depth - 1)), ties to even; or luma and chroma of clamp(y, 0, 1).
   * Nothing of them is held afterwards. */
  int (*run)(streamvsr_torch_model* model, const streamvsr_torch_picture* pictures, int32_t count);
  /* Finds motion on the model's device. The two pictures stay there until another one comes. */
  int (*flow)(streamvsr_torch_model* model, const streamvsr_torch_flow* flow);
  /* Bytes that flow() holds at most for pictures of this size, the two pictures included. */
  uint64_t (*flow_bytes)(int32_t width, int32_t height);
  /* Finds out by trying; takes a while. */
  int (*tiling)(streamvsr_torch_model* model, streamvsr_torch_tiling* tiling);
  /* From any thread. */
  void (*memory)(const streamvsr_torch_model* model, streamvsr_torch_memory* memory);
  /* The most that was held since the last call. */
  uint64_t (*take_peak)(streamvsr_torch_model* model);
  /* Makes the nth allocation from now on fail on the CPU, 1 the next one; 0: none. For tests. */
  void (*fail_allocation)(streamvsr_torch_model* model, int64_t nth);
  void (*unload)(streamvsr_torch_model* model);
  const char* (*last_error)(void);
} streamvsr_torch;

/* What the shared object exports under STREAMVSR_TORCH_SYMBOL; never null. */
typedef const streamvsr_torch* (*streamvsr_torch_table_fn)(void);

#ifdef __cplusplus
}
#endif

#endif /* STREAMVSR_MODEL_TORCH_TABLE_H */
