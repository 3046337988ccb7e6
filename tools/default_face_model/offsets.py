"""Where the sliders are centred, so that the mean head is an average person.

MakeHuman's average adult (all sliders at zero) has, beside real heads, a long egg-shaped skull, a short
flat nose and protruding lips. Each offset is our own choice of slider: the regularised least-squares
strength that brings the average adult nearer to independent averages of real people: the neutral head of
ICT-FaceKit (skull and face) and the mean of the Surrey Face Model (face), averaged over the two. The mean's
scan-to-mesh distance within 95 mm of the nose fell from 1.36 to 1.08 mm for the first and from 0.97 to 0.63 mm
for the second, beyond 95 mm from 2.6 to 1.3 mm. No vertex of either is used. Strengths under 0.03 are left out.
"""

from __future__ import annotations

SLIDER_OFFSETS: dict[str, float] = {
    # The skull, from the first reference.
    "head-back-scale-depth-incr+decr": -0.68,
    "head-diamond": -0.05,
    "head-oval": -0.27,
    "head-rectangular": -0.2,
    "head-scale-depth-incr+decr": -0.5,
    "head-scale-horiz-incr+decr": -0.12,
    "head-scale-vert-incr+decr": -0.25,
    "head-square": 0.15,
    "head-triangular": -0.2,
    "forehead-nubian-incr+decr": 0.12,
    "forehead-scale-vert-incr+decr": -0.12,
    "forehead-temple-incr+decr": 0.65,
    "forehead-trans-forward+backward": 0.07,
    # The face, from both.
    "head-age-incr+decr": 0.03,
    "head-fat-incr+decr": 0.06,
    "chin-jaw-drop-incr+decr": -0.04,
    "chin-prominent-incr+decr": 0.03,
    "nose-base-up+down": 0.05,
    "nose-compression-uncompress+compress": 0.11,
    "nose-curve-convex+concave": 0.23,
    "nose-flaring-incr+decr": 0.33,
    "nose-greek-incr+decr": 0.13,
    "nose-nostrils-angle-up+down": -0.22,
    "nose-nostrils-width-incr+decr": -0.14,
    "nose-point-up+down": 0.07,
    "nose-scale-depth-incr+decr": 0.27,
    "nose-scale-horiz-incr+decr": -0.34,
    "nose-scale-vert-incr+decr": -0.1,
    "nose-trans-forward+backward": -0.03,
    "nose-trans-up+down": 0.18,
    "nose-volume-incr+decr": 0.04,
    "nose-width1-incr+decr": 0.06,
    "nose-width2-incr+decr": 0.05,
    "nose-width3-incr+decr": -0.26,
    "mouth-angles-up+down": -0.05,
    "mouth-dimples-out+in": 0.08,
    "mouth-laugh-lines-out+in": 0.05,
    "mouth-lowerlip-height-incr+decr": -0.05,
    "mouth-lowerlip-middle-up+down": -0.04,
    "mouth-lowerlip-volume-incr+decr": 0.04,
    "mouth-lowerlip-width-incr+decr": -0.05,
    "mouth-scale-depth-incr+decr": 0.05,
    "mouth-scale-horiz-incr+decr": -0.13,
    "mouth-trans-forward+backward": -0.21,
    "mouth-upperlip-middle-up+down": -0.04,
    "mouth-upperlip-width-incr+decr": -0.05,
    "eye-epicanthus-out+in": 0.03,
    "eye-eyefold-convex+concave": 0.03,
    "eye-height2-incr+decr": 0.06,
    "eye-height3-incr+decr": 0.06,
    "eye-push1-out+in": -0.04,
    "eye-push2-out+in": -0.03,
    "eye-trans-out+in": -0.13,
    "eye-trans-up+down": -0.14,
    "cheek-bones-incr+decr": -0.12,
    "cheek-volume-incr+decr": 0.11,
    "eyebrows-angle-up+down": 0.06,
    "eyebrows-trans-forward+backward": -0.06,
    "eyebrows-trans-up+down": 0.06,
}
