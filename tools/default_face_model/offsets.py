"""Where the sliders are centred, so that the mean head is an average person.

MakeHuman's average adult (all sliders at zero) has, beside real heads, a wide skull, a short flat
nose and protruding lips. Each offset is our own choice of slider: the regularised least-squares
strength that brings the average adult nearer to two independent averages of real people (the neutral
head of ICT-FaceKit and the mean of the Surrey Face Model), averaged over the two; offsets under 0.03
are left out. The mean's scan-to-mesh distance within 95 mm of the nose fell from 1.36 to 1.05 mm for the
first and from 0.97 to 0.56 mm for the second. No vertex of either is used.
"""

from __future__ import annotations

SLIDER_OFFSETS: dict[str, float] = {
    "head-age-incr+decr": -0.07,
    "head-scale-horiz-incr+decr": -0.2,
    "head-scale-vert-incr+decr": -0.09,
    "chin-height-incr+decr": -0.08,
    "chin-jaw-drop-incr+decr": -0.04,
    "chin-prominent-incr+decr": 0.04,
    "chin-triangle": -0.05,
    "chin-width-incr+decr": 0.04,
    "nose-base-up+down": 0.08,
    "nose-compression-uncompress+compress": 0.11,
    "nose-curve-convex+concave": 0.2,
    "nose-flaring-incr+decr": 0.33,
    "nose-greek-incr+decr": 0.1,
    "nose-nostrils-angle-up+down": -0.19,
    "nose-nostrils-width-incr+decr": -0.1,
    "nose-point-up+down": 0.07,
    "nose-scale-depth-incr+decr": 0.27,
    "nose-scale-horiz-incr+decr": -0.3,
    "nose-scale-vert-incr+decr": -0.14,
    "nose-trans-forward+backward": -0.05,
    "nose-trans-up+down": 0.17,
    "nose-volume-incr+decr": 0.04,
    "nose-width1-incr+decr": 0.05,
    "nose-width2-incr+decr": 0.04,
    "nose-width3-incr+decr": -0.22,
    "mouth-angles-up+down": -0.03,
    "mouth-dimples-out+in": 0.07,
    "mouth-laugh-lines-out+in": 0.05,
    "mouth-lowerlip-height-incr+decr": -0.06,
    "mouth-lowerlip-middle-up+down": -0.04,
    "mouth-lowerlip-volume-incr+decr": 0.05,
    "mouth-scale-depth-incr+decr": 0.04,
    "mouth-scale-horiz-incr+decr": -0.08,
    "mouth-trans-forward+backward": -0.22,
    "mouth-trans-up+down": 0.12,
    "mouth-upperlip-middle-up+down": -0.04,
    "mouth-upperlip-width-incr+decr": -0.04,
    "eye-height2-incr+decr": 0.05,
    "eye-trans-out+in": -0.04,
    "eye-trans-up+down": -0.17,
    "cheek-bones-incr+decr": -0.04,
    "cheek-inner-incr+decr": 0.07,
    "cheek-volume-incr+decr": 0.1,
    "eyebrows-angle-up+down": 0.06,
    "eyebrows-trans-forward+backward": -0.09,
    "eyebrows-trans-up+down": -0.04,
}
