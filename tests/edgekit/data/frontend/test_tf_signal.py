"""The MLPerf Tiny presets equal what their training computes with tf.signal."""

from typing import Any

import numpy as np
import pytest

from edgekit.data.frontend import extract, preset


def speech_like() -> np.ndarray:
    """Tones with an envelope, in noise, at most 1: MLPerf Tiny divides by the maximum."""
    time, rng = np.arange(16_000) / 16_000, np.random.default_rng(9)
    wave = sum(np.sin(2 * np.pi * hz * time) / n for n, hz in enumerate((180, 750, 2400), 1))
    wave = wave * np.sin(np.pi * time) ** 4 + rng.normal(0, 0.003, time.size)
    return np.asarray(wave / wave.max(), np.float32)


def keyword_spotting(tf: Any, wave: np.ndarray) -> np.ndarray:
    """Compute the features as benchmark/training/keyword_spotting describes them."""
    spectra = tf.abs(tf.signal.stft(wave, 480, 320, window_fn=tf.signal.hann_window))
    bank = tf.signal.linear_to_mel_weight_matrix(40, 257, 16_000, 20.0, 4000.0)
    bands = tf.math.log(tf.tensordot(spectra, bank, 1) + 1e-6)
    return np.asarray(tf.signal.mfccs_from_log_mel_spectrograms(bands)[..., :10])


def streaming_wakeword(tf: Any, wave: np.ndarray) -> np.ndarray:
    """Compute the features as benchmark/training/streaming_wakeword describes them."""
    emphasised = wave - (1 - 2**-5) * np.concatenate(([0], wave[:-1]))

    def window(size: Any, dtype: Any) -> Any:
        return tf.signal.hamming_window(size, periodic=False, dtype=dtype)

    spectra = tf.signal.stft(emphasised.astype(np.float32), 1024, 512, window_fn=window)
    power = tf.square(tf.abs(spectra)) / 1024
    bank = tf.signal.linear_to_mel_weight_matrix(40, 513, 16_000, 0.0, 8000.0)
    bands = tf.tensordot(tf.maximum(power, 1e-30), bank, 1)
    decibels = 10 * tf.math.log(bands) / tf.math.log(10.0)
    return np.asarray(tf.clip_by_value((decibels + 52) / 64, 0, 1))


@pytest.mark.tf
def test_presets_equal_tf_signal() -> None:
    import tensorflow as tf

    wave = speech_like()
    for name, reference in (
        ("mlperf-tiny", keyword_spotting),
        ("mlperf-tiny-streaming", streaming_wakeword),
    ):
        expected = reference(tf, wave)
        assert expected.shape == (preset(name).frames, preset(name).features)
        np.testing.assert_allclose(extract(wave, preset(name)), expected, atol=1e-4, rtol=0)
