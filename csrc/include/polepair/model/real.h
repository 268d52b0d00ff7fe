/* polepair/real.h: the number that model code is written against. One source is compiled as scalar
 * double (default), as PP_LANES doubles per value (GCC vector extensions), or as float (PP_FLOAT).
 * Every helper below gives the same bits in every lane as the scalar build gives. */
#ifndef POLEPAIR_REAL_H
#define POLEPAIR_REAL_H

#include "polepair/base.h"

#ifndef PP_LANES
#define PP_LANES 1
#endif
#define PP_INLINE static inline __attribute__((always_inline))

#ifdef PP_FLOAT
typedef float pp_scalar;
typedef int32_t pp_bits;
#else
typedef double pp_scalar;
typedef int64_t pp_bits;
#endif
/* A literal of the model in the precision of the build. */
#define PP_R(x) ((pp_scalar)(x))

#if PP_LANES == 1
typedef pp_scalar pp_real;
typedef int pp_mask;
#ifdef PP_FLOAT
#define PP_SQRT_ __builtin_sqrtf
#else
#define PP_SQRT_ __builtin_sqrt
#endif
PP_INLINE pp_real pp_set(pp_scalar x) { return x; }
PP_INLINE pp_real pp_select(pp_mask m, pp_real yes, pp_real no) { return m ? yes : no; }
PP_INLINE pp_real pp_min(pp_real a, pp_real b) { return a < b ? a : b; }
PP_INLINE pp_real pp_max(pp_real a, pp_real b) { return a > b ? a : b; }
PP_INLINE pp_real pp_sqrt(pp_real x) { return PP_SQRT_(x); }
PP_INLINE bool pp_any(pp_mask m) { return m != 0; }
PP_INLINE pp_mask pp_not(pp_mask m) { return !m; }
PP_INLINE pp_mask pp_mask_none(void) { return 0; }
#define PP_ALL 1 /* every lane */
PP_INLINE pp_scalar pp_first(pp_real x) { return x; }
#else
typedef pp_scalar pp_real __attribute__((vector_size(PP_LANES * sizeof(pp_scalar))));
typedef pp_bits pp_mask __attribute__((vector_size(PP_LANES * sizeof(pp_scalar))));
#if defined __x86_64__
#include <immintrin.h>
#endif
PP_INLINE pp_real pp_set(pp_scalar x) { return x - (pp_real){0}; }
PP_INLINE pp_real pp_select(pp_mask m, pp_real yes, pp_real no)
{
#if defined __AVX__ && PP_LANES == 4 && !defined PP_FLOAT
    return (pp_real)_mm256_blendv_pd((__m256d)no, (__m256d)yes, (__m256d)m);
#elif defined __AVX__ && PP_LANES == 8 && defined PP_FLOAT
    return (pp_real)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)m);
#else
    return (pp_real)(((pp_mask)yes & m) | ((pp_mask)no & ~m));
#endif
}
PP_INLINE pp_real pp_min(pp_real a, pp_real b)
{
#if defined __AVX512F__ && PP_LANES == 8 && !defined PP_FLOAT
    return (pp_real)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif defined __AVX__ && PP_LANES == 4 && !defined PP_FLOAT
    return (pp_real)_mm256_min_pd((__m256d)a, (__m256d)b);
#elif defined __AVX512F__ && PP_LANES == 16 && defined PP_FLOAT
    return (pp_real)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined __AVX__ && PP_LANES == 8 && defined PP_FLOAT
    return (pp_real)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined __SSE2__ && PP_LANES == 2 && !defined PP_FLOAT
    return (pp_real)_mm_min_pd((__m128d)a, (__m128d)b);
#else
    return pp_select(a < b, a, b);
#endif
}
PP_INLINE pp_real pp_max(pp_real a, pp_real b)
{
#if defined __AVX512F__ && PP_LANES == 8 && !defined PP_FLOAT
    return (pp_real)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif defined __AVX__ && PP_LANES == 4 && !defined PP_FLOAT
    return (pp_real)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined __AVX512F__ && PP_LANES == 16 && defined PP_FLOAT
    return (pp_real)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX__ && PP_LANES == 8 && defined PP_FLOAT
    return (pp_real)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined __SSE2__ && PP_LANES == 2 && !defined PP_FLOAT
    return (pp_real)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return pp_select(a > b, a, b);
#endif
}
PP_INLINE pp_real pp_sqrt(pp_real x)
{
#if defined __AVX512F__ && PP_LANES == 8 && !defined PP_FLOAT
    return (pp_real)_mm512_sqrt_pd((__m512d)x);
#elif defined __AVX__ && PP_LANES == 4 && !defined PP_FLOAT
    return (pp_real)_mm256_sqrt_pd((__m256d)x);
#elif defined __AVX512F__ && PP_LANES == 16 && defined PP_FLOAT
    return (pp_real)_mm512_sqrt_ps((__m512)x);
#elif defined __AVX__ && PP_LANES == 8 && defined PP_FLOAT
    return (pp_real)_mm256_sqrt_ps((__m256)x);
#elif defined __SSE2__ && PP_LANES == 2 && !defined PP_FLOAT
    return (pp_real)_mm_sqrt_pd((__m128d)x);
#else
    for (int l = 0; l < PP_LANES; l++)
        x[l] = (pp_scalar)__builtin_sqrt((double)x[l]);
    return x;
#endif
}
PP_INLINE pp_mask pp_not(pp_mask m) { return ~m; }
PP_INLINE pp_mask pp_mask_none(void) { return (pp_mask){0}; }
#define PP_ALL (~(pp_mask){0}) /* every lane */
PP_INLINE pp_scalar pp_first(pp_real x) { return x[0]; }
PP_INLINE bool pp_any(pp_mask m)
{
#if defined __AVX512F__
    if (sizeof m == 64)
        return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0;
#elif defined __AVX__
    if (sizeof m == 32)
        return !_mm256_testz_si256((__m256i)m, (__m256i)m);
#endif
    pp_bits any = 0;
    for (int l = 0; l < PP_LANES; l++)
        any |= m[l];
    return any != 0;
}
#endif

PP_INLINE pp_real pp_clamp(pp_real x, pp_real lo, pp_real hi) { return pp_max(pp_min(x, hi), lo); }
PP_INLINE pp_real pp_abs(pp_real x) { return pp_max(x, -x); }

#endif
