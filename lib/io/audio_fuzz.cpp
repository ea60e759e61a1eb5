// Decoding of recordings: any bytes decode to samples as many as the header says, or to Error(bad_inputs).
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "io/audio.h"

// libsndfile 1.2.0 forgets some 6 KB of libvorbis's for each damaged Ogg file; our own leaks are still reported.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\n"; }  // NOLINT: a reserved name

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lepton::AudioLimits limits{10};
  try {
    const lepton::AudioInfo info = lepton::decode_audio_header({data, size}, limits);
    const lepton::Audio audio = lepton::decode_audio({data, size}, limits);
    if (audio.rate != info.rate || std::ssize(audio.samples) < info.frames) std::abort();
    for (const float sample : audio.samples) {
      if (!std::isfinite(sample)) std::abort();
    }
  } catch (const lepton::Error& error) {
    if (error.status() != lepton::Exit::bad_inputs) std::abort();
  }
  return 0;
}
