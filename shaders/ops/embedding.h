#ifndef BR_SHADER_OPS_EMBEDDING
#define BR_SHADER_OPS_EMBEDDING

#include "common/abi.h"

#define BR_EMBEDDING_TOKENS 0
#define BR_EMBEDDING_TABLE 1
#define BR_EMBEDDING_POSITIONS 2
#define BR_EMBEDDING_Y 3

BR_PUSH(br_embedding_push,
    uint total;          // items
    uint width;          // items a row: D or D / 4
    uint table_stride;   // likewise in the table; words where it has blocks
    uint vocabulary;     // V + E
    uint row_first;      // ids [row_first, row_first + row_count) are bound
    uint row_count;
    uint tokens;         // T
    uint token_first;    // of this dispatch's first token, counted over all of [B, T]
    uint position_first; // the first bound row of positions
    uint tokens_skip;    // elements before the first one; in a table of blocks, words
    uint table_skip;
    uint positions_skip;
    uint y_skip;
)

#endif
