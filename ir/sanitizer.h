// Which sanitizers the compiler adds, told in the same way for all compilers.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define FETTLE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FETTLE_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define FETTLE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FETTLE_THREAD_SANITIZER 1
#endif
#endif
