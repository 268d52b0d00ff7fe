
pp_pulse pp_setup_pulse(const pp_setup *in)
{
    const double period = in->params->drive.period;
    return (pp_pulse){
        .torque = in->params->load.torque,
        .spacing = (double)(int64_t)(0.01 / period + 0.5),
        .width = (double)(int64_t)(0.002 / period + 0.5),
    };
}

pp_volts pp_setup_volts(const pp_setup *in)
{
    return (pp_volts){.ud = 0, .uq = 0.25 * in->params->drive.u_dc};
}
